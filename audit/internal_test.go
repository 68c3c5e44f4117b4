package audit

import "context"

// SequenceOnce positions one batch; without lead it does not ask whether another process leads.
func (s *Store) SequenceOnce(ctx context.Context, lead bool) (int, error) {
	return s.sequenceOnce(ctx, lead)
}

// SequenceBatch is the size of a batch.
const SequenceBatch = sequenceBatch
