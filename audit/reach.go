package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"hitl"
)

// readError tells a read that failed because Postgres is out of reach, which passes, from one that is our own fault.
func readError(what string, err error) error {
	if outOfReach(err) {
		return fmt.Errorf("%s: %w: %w", what, hitl.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// outOfReach says whether Postgres could not be reached, went away, or is starting, stopping or out of connections. For a write that is not
// to say that nothing happened.
func outOfReach(err error) bool {
	if nothingSent(err) {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // the caller's own time, which is a net.Error as well
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "53": // connection exception, insufficient resources
			return true
		}
		switch pg.Code {
		case "57P01", "57P02", "57P03": // shutdown, crash, cannot connect now
			return true
		}
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
