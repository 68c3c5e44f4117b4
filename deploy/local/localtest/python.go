package localtest

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// AgreementVariable names the Python that can import krippendorff and irrCAC. Without it python3 is asked.
const AgreementVariable = "AGREEMENT_PYTHON"

const installAgreement = "python3 -m venv ~/agreement && ~/agreement/bin/pip install -r classifier/learn/testdata/agreement/requirements.txt && export " +
	AgreementVariable + "=~/agreement/bin/python"

// Agreement returns a command that runs a program for Python on the packages krippendorff and irrCAC, as Bolt does for Node on Slack's framework.
func Agreement(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	python := os.Getenv(AgreementVariable)
	if python == "" {
		python = "python3"
	}
	probe(ctx, t, "agreement against other implementations", installAgreement, os.Environ(), python, "-c", "import krippendorff, irrCAC.raw")
	return exec.CommandContext(ctx, python, args...)
}

// PyarrowVariable names the Python that can import pyarrow, pandas and scikit-learn. Without it python3 is asked.
const PyarrowVariable = "PYARROW_PYTHON"

const installPyarrow = "python3 -m venv ~/pyarrow && ~/pyarrow/bin/pip install -r audit/testdata/parquet/requirements.txt && export " +
	PyarrowVariable + "=~/pyarrow/bin/python"

// Pyarrow returns a command that runs a program for Python on the packages pyarrow, pandas and scikit-learn, as Bolt does for Node on Slack's framework.
func Pyarrow(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	python := os.Getenv(PyarrowVariable)
	if python == "" {
		python = "python3"
	}
	probe(ctx, t, "how others read what hitl export writes", installPyarrow, os.Environ(), python, "-c", "import pandas, pyarrow.parquet, sklearn.linear_model")
	return exec.CommandContext(ctx, python, args...)
}
