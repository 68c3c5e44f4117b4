package learn

import (
	"context"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/optimize"
)

// How small the gradient's largest part gets before a fit ends: in cross-validation, and for the head itself.
const (
	rough = 1e-4
	exact = 1e-9
)

// maxSteps bounds a fit; well-posed ones take some dozens.
const maxSteps = 2000

// problem is a softmax regression on standardised features. Its parameters are a flat theta: the weights, label after label, then the biases.
type problem struct {
	labels      []string
	x           blas64.General // examples × features
	y           []int          // label of each example
	w           []float64      // weight of each example; together 1
	mean, scale []float64      // of the features as they came

	logits blas64.General // examples × labels, scratch
}

func newProblem(examples []Example, labels []string) *problem {
	n, d, k := len(examples), len(examples[0].Features), len(labels)
	p := &problem{
		labels: labels, x: general(n, d), y: make([]int, n), w: make([]float64, n), mean: make([]float64, d), scale: make([]float64, d), logits: general(n, k),
	}
	sum := 0.0
	for i, e := range examples {
		p.y[i], _ = slices.BinarySearch(labels, e.Label)
		p.w[i] = e.Weight
		sum += e.Weight
	}
	for i, e := range examples {
		p.w[i] /= sum
		row := p.row(i)
		for j, v := range e.Features {
			row[j] = float64(v)
			p.mean[j] += p.w[i] * row[j]
		}
	}
	for i := range examples {
		row := p.row(i)
		for j := range row {
			row[j] -= p.mean[j]
			p.scale[j] += p.w[i] * row[j] * row[j]
		}
	}
	for j, variance := range p.scale {
		// Features of one value differ by rounding alone; blown up, that would be noise.
		if p.scale[j] = math.Sqrt(variance); p.scale[j] <= 1e-7*math.Abs(p.mean[j]) || p.scale[j] == 0 {
			p.scale[j] = math.Inf(1)
		}
	}
	for i := range examples {
		row := p.row(i)
		for j := range row {
			row[j] /= p.scale[j]
		}
	}
	return p
}

func general(rows, columns int) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: make([]float64, rows*columns)}
}

func (p *problem) row(i int) []float64 { return p.x.Data[i*p.x.Stride : (i+1)*p.x.Stride] }

// start returns the best theta without features: the biases say how common each label is.
func (p *problem) start() []float64 {
	k, d := len(p.labels), p.x.Cols
	theta := make([]float64, k*d+k)
	for i, y := range p.y {
		theta[k*d+y] += p.w[i]
	}
	mean := 0.0
	for i := k * d; i < len(theta); i++ {
		theta[i] = math.Log(theta[i])
		mean += theta[i] / float64(k)
	}
	for i := k * d; i < len(theta); i++ {
		theta[i] -= mean
	}
	return theta
}

// evaluate returns the objective at theta and puts its gradient into grad.
func (p *problem) evaluate(theta []float64, l2 float64, grad []float64) float64 {
	k, d := len(p.labels), p.x.Cols
	weights := blas64.General{Rows: k, Cols: d, Stride: d, Data: theta[:k*d]}
	for i := range p.y {
		copy(p.logits.Data[i*k:(i+1)*k], theta[k*d:])
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, p.x, weights, 1, p.logits)
	loss := 0.0
	bias := grad[k*d:]
	clear(bias)
	for i, y := range p.y {
		z := p.logits.Data[i*k : (i+1)*k]
		right := z[y]
		loss += p.w[i] * (softmax(z) - right)
		z[y]--
		for c := range z {
			z[c] *= p.w[i]
			bias[c] += z[c]
		}
	}
	copy(grad[:k*d], theta)
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, p.logits, p.x, l2, blas64.General{Rows: k, Cols: d, Stride: d, Data: grad[:k*d]})
	squares := 0.0
	for _, v := range theta[:k*d] {
		squares += v * v
	}
	return loss + l2/2*squares
}

// minimize moves theta to where no part of the gradient is larger than tolerance, by L-BFGS: J. Nocedal, Updating Quasi-Newton Matrices with Limited
// Storage, Mathematics of Computation 35, 1980.
func (p *problem) minimize(ctx context.Context, theta []float64, l2, tolerance float64) error {
	// The optimizer asks for value and gradient at a point one after the other; one pass over the examples gives both.
	at, grad, value := make([]float64, len(theta)), make([]float64, len(theta)), 0.0
	at[0] = math.NaN()
	both := func(x []float64) {
		if !slices.Equal(x, at) {
			copy(at, x)
			value = p.evaluate(x, l2, grad)
		}
	}
	result, err := optimize.Minimize(
		optimize.Problem{
			Func: func(x []float64) float64 { both(x); return value },
			Grad: func(g, x []float64) { both(x); copy(g, grad) },
			Status: func() (optimize.Status, error) {
				if err := ctx.Err(); err != nil {
					return optimize.Failure, err
				}
				return optimize.NotTerminated, nil
			},
		},
		theta,
		&optimize.Settings{GradientThreshold: tolerance, MajorIterations: maxSteps, Converger: optimize.NeverTerminate{}},
		&optimize.LBFGS{Linesearcher: &boundedSearch{Linesearcher: &optimize.MoreThuente{}}, Store: 12},
	)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if result == nil {
		return err
	}
	copy(theta, result.X)
	both(theta)
	// A line search that finds nothing better has reached what the precision of numbers allows.
	if err == nil && result.Status == optimize.GradientThreshold || largest(grad) <= max(tolerance, rough) {
		return nil
	}
	return errors.Join(errors.New("the fit does not converge; the features may be of no use, or the L2 strength too small"), err)
}

// maxProbes bounds a line search; ordinary ones take one to five.
const maxProbes = 30

// boundedSearch gives a line search up after maxProbes. Where the differences that it looks at are below the precision of numbers, J. Moré's and D.
// Thuente's can go round in circles.
type boundedSearch struct {
	optimize.Linesearcher
	probes int
}

func (b *boundedSearch) Init(value, derivative, step float64) optimize.Operation {
	b.probes = 0
	return b.Linesearcher.Init(value, derivative, step)
}

func (b *boundedSearch) Iterate(value, derivative float64) (optimize.Operation, float64, error) {
	if b.probes++; b.probes > maxProbes {
		return optimize.NoOperation, 0, optimize.ErrLinesearcherFailure
	}
	return b.Linesearcher.Iterate(value, derivative)
}

func largest(v []float64) (m float64) {
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

// head returns theta as a head for features as they came.
func (p *problem) head(theta []float64) *Head {
	k, d := len(p.labels), p.x.Cols
	h := &Head{Labels: slices.Clone(p.labels), Weights: make([][]float64, k), Bias: slices.Clone(theta[k*d:])}
	for c := range h.Weights {
		row := slices.Clone(theta[c*d : (c+1)*d])
		for j := range row {
			row[j] /= p.scale[j]
			h.Bias[c] -= row[j] * p.mean[j]
		}
		h.Weights[c] = row
	}
	return h
}
