package classifier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"hitl"
)

// Attempts remembers, beyond the end of this process, which texts it was about to give the network. A network can end the process: by a
// panic in a goroutine of its backend, a fault in ONNX Runtime, memory. Upstream then sends the text again, to the next replica.
//
// A key stands for a text and a model's version: another model may try the text anew.
type Attempts interface {
	// Begin notes an attempt at each text, durably, and returns for each how many processes died on it and how many others may be at
	// it now. Unless again, texts of which either is not zero are not begun. Keys differ from each other.
	Begin(ctx context.Context, keys [][32]byte, again bool) (dead, alive []int, err error)
	// End forgets attempts that were begun. Survived says that they were made: then earlier deaths are forgotten too. It must not block.
	End(keys [][32]byte, survived bool)
}

const (
	// attemptTimeout bounds the wait for Attempts, during which the network rests.
	attemptTimeout = 2 * time.Second
	// lastWords is how long the network rests before a text that killed twice: what was answered just before gets recorded meanwhile.
	lastWords = 250 * time.Millisecond
)

// attemptKey returns the key of a text. The version's length is fixed by its form, and no version holds a NUL.
func attemptKey(version, text string) [32]byte {
	h := sha256.New()
	h.Write([]byte("hitl attempt v1\x00" + version + "\x00"))
	h.Write([]byte(text))
	return [32]byte(h.Sum(nil))
}

// begin counts an attempt at each job's text. It returns the jobs that may run together, and, by text, those whose text may have killed
// a process, the likeliest killers last: these are not counted yet.
func (w *worker) begin(jobs []*job) (clean []*job, suspects [][]*job) {
	if w.attempts == nil || len(jobs) == 0 {
		return jobs, nil
	}
	keys, byKey := texts(jobs)
	dead, alive, err := w.count(keys, false)
	if err != nil {
		refuse(jobs, err)
		return nil, nil
	}
	deaths := map[[32]byte]int{}
	for i, key := range keys {
		if dead[i]+alive[i] > 0 {
			suspects, deaths[key] = append(suspects, byKey[key]), dead[i]
		} else {
			clean = append(clean, byKey[key]...)
		}
	}
	slices.SortStableFunc(suspects, func(a, b []*job) int { return deaths[a[0].key] - deaths[b[0].key] })
	return clean, suspects
}

// retry runs the jobs of texts that may have killed a process, text by text. Only one is counted at a time, so that whichever kills again
// brings no suspicion on the others.
func (w *worker) retry(suspects [][]*job) {
	for i, jobs := range suspects {
		if jobs = wanted(jobs); len(jobs) == 0 {
			continue
		}
		dead, alive, err := w.count([][32]byte{jobs[0].key}, true)
		if err != nil {
			for _, jobs := range suspects[i:] { // without a wait for each
				refuse(jobs, err)
			}
			return
		}
		w.retryOne(jobs, dead[0], alive[0])
	}
}

// retryOne runs the jobs of a text whose attempt is counted, unless the text killed too many processes.
func (w *worker) retryOne(jobs []*job, dead, alive int) {
	log := w.log.With("key", hex.EncodeToString(jobs[0].key[:6]), "deaths", dead, "tried_elsewhere", alive)
	switch {
	case dead >= w.maxAttempts:
		log.Error("text killed too many processes and is not tried again")
		for range jobs {
			w.observer.GivenUp()
		}
		refuse(jobs, fmt.Errorf("%w: the text killed the process %d times and is not tried again", hitl.ErrModel, dead))
	case dead > 0 && dead+alive >= w.maxAttempts:
		// The others may have just died on it.
		log.Warn("text killed processes and may be killing others, it has to wait")
		refuse(jobs, fmt.Errorf("%w: the text is being tried elsewhere", hitl.ErrBusy))
	default:
		if dead > 0 {
			log.Warn("text may have killed a process, it is tried alone")
		}
		if dead > 1 {
			w.rest(lastWords)
		}
		w.answer(jobs)
		w.end(jobs, true)
		return
	}
	w.end(jobs, false)
}

// rest waits, unless nobody is left who waits for an answer.
func (w *worker) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.life.Done():
	}
}

func (w *worker) count(keys [][32]byte, again bool) (dead, alive []int, err error) {
	ctx, cancel := context.WithTimeout(w.life, attemptTimeout)
	defer cancel()
	if dead, alive, err = w.attempts.Begin(ctx, keys, again); err != nil {
		if !w.uncounted {
			w.log.Warn("attempts cannot be counted, texts are refused", "error", err)
		}
		w.uncounted = true
		return nil, nil, fmt.Errorf("%w: attempts cannot be counted", hitl.ErrUnavailable)
	}
	w.uncounted = false
	return dead, alive, nil
}

func (w *worker) end(jobs []*job, survived bool) {
	if w.attempts != nil && len(jobs) > 0 {
		keys, _ := texts(jobs)
		w.attempts.End(keys, survived)
	}
}

// texts returns the jobs by their texts' keys, and the keys in the jobs' order.
func texts(jobs []*job) (keys [][32]byte, byKey map[[32]byte][]*job) {
	byKey = map[[32]byte][]*job{}
	for _, j := range jobs {
		if byKey[j.key] == nil {
			keys = append(keys, j.key)
		}
		byKey[j.key] = append(byKey[j.key], j)
	}
	return keys, byKey
}

func refuse(jobs []*job, err error) {
	for _, j := range jobs {
		j.answer <- answer{err: err}
	}
}
