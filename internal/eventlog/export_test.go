package eventlog

import "context"

// Commit judges requests together: it forms the batches that the appender would form if all of them were waiting, and
// returns the order in which the requests were judged.
func (p *PG) Commit(ctx context.Context, requests []Request) (order []int, verdicts []Verdict, errs []error, batches int) {
	a := &appender{PG: p, enc: newEncoder()}
	defer a.disconnect()
	index := map[*call]int{}
	var waiting []*call
	verdicts, errs = make([]Verdict, len(requests)), make([]error, len(requests))
	for i, r := range requests {
		r, err := r.Normal()
		if errs[i] = err; err != nil {
			continue
		}
		c := newCall(ctx, r)
		index[c] = i
		waiting = append(waiting, c)
	}
	for len(waiting) > 0 {
		waiting = a.batch.fill(waiting, a.cfg.MaxBatch, a.cfg.MaxBatchBytes)
		a.commit(a.batch.calls)
		batches++
		for _, c := range a.batch.calls {
			answer := <-c.done
			i := index[c]
			verdicts[i], errs[i] = answer.verdict, answer.err
			order = append(order, i)
		}
	}
	return order, verdicts, errs, batches
}
