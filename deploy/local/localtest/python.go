package localtest

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"testing"
)

// The variables name the Python that can import other implementations' packages. Without them python3 is asked.
const (
	AgreementVariable = "AGREEMENT_PYTHON" // krippendorff and irrCAC
	PyarrowVariable   = "PYARROW_PYTHON"   // pyarrow, pandas and scikit-learn
)

// Agreement returns a command that runs a program for Python on the packages krippendorff and irrCAC, as Bolt does for Node on Slack's framework.
func Agreement(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return python(ctx, t, AgreementVariable, "agreement against other implementations", "classifier/learn/testdata/agreement", "import krippendorff, irrCAC.raw", args)
}

// Pyarrow returns a command that runs a program for Python on the packages pyarrow, pandas and scikit-learn, as Bolt does for Node on Slack's framework.
func Pyarrow(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return python(ctx, t, PyarrowVariable, "how others read what hitl export writes", "audit/testdata/parquet", "import pandas, pyarrow.parquet, sklearn.linear_model", args)
}

// python returns a command for the Python that a variable names, once it was seen to import what is needed; requirements is the folder that says what to install.
func python(ctx context.Context, t testing.TB, variable, what, requirements, imports string, args []string) *exec.Cmd {
	t.Helper()
	interpreter := cmp.Or(os.Getenv(variable), "python3")
	install := "python3 -m venv ~/tests && ~/tests/bin/pip install -r " + requirements + "/requirements.txt && export " + variable + "=~/tests/bin/python"
	probe(ctx, t, what, install, os.Environ(), interpreter, "-c", imports)
	return exec.CommandContext(ctx, interpreter, args...)
}
