package result

// Attempts counts single requests, apart from fetches: a fetch that is repeated as GitLab Runner
// repeats it may succeed though a request failed. Failed of Count is the raw error rate;
// Load.Failed of Load.Fetches is the one that jobs see.
type Attempts struct {
	Count  int64 `json:"count"`  // requests sent
	Failed int64 `json:"failed"` // requests without a usable answer, whether a retry succeeded or not
	// Repeats is whether failed requests were repeated as Runner's client does.
	Repeats bool  `json:"repeats,omitempty"`
	Retried int64 `json:"retried,omitempty"` // fetches with at least one repetition
	Rescued int64 `json:"rescued,omitempty"` // of these, fetches that succeeded in the end
}

// RawErrorRate is the share of requests that failed, 0 to 1; ok is false where none were counted.
func (a *Attempts) RawErrorRate() (rate float64, ok bool) {
	if a == nil || a.Count == 0 {
		return 0, false
	}
	return float64(a.Failed) / float64(a.Count), true
}

// LoadStage is one stage of a rate that moves. Its figures are sums over the seconds of the series
// that lie in it, so that a second at either end may be its neighbour's; latencies are in
// milliseconds from the intended start.
type LoadStage struct {
	At        float64 `json:"t"`       // seconds since Load.Start at which it begins
	Seconds   float64 `json:"seconds"` // its length
	From      float64 `json:"from"`    // fetches per second offered at its beginning
	To        float64 `json:"to"`      // and at its end; in between the rate moves in a straight line
	Excursion bool    `json:"excursion,omitempty"`
	Fetches   int64   `json:"n"`
	Failed    int64   `json:"failed"`
	Wrong     int64   `json:"wrong"`
	Dropped   int64   `json:"dropped"`
	P50       float64 `json:"p50"` // median over its seconds of the second's p50
	P95       float64 `json:"p95"` // median over its seconds of the second's p95
}

// Excursion is what was driven on purpose beyond the rate that is judged: it may be slow and it
// may fail, but it may not be wrong.
type Excursion struct {
	Seconds float64      `json:"seconds"`
	Offered float64      `json:"offered"` // mean fetches per second asked for
	Fetches int64        `json:"fetches"`
	Failed  int64        `json:"failed"`
	Wrong   int64        `json:"wrong"`
	Dropped int64        `json:"dropped"`
	Actual  Distribution `json:"actual"`
	// of the fetches that could be started: a lower bound where arrivals were dropped
	Intended Distribution `json:"intended"`
}

// Trouble is the first second of an excursion in which not every arrival was answered as it
// should.
type Trouble struct {
	At      float64 // seconds since Load.Start
	Rate    float64 // fetches per second offered at that time
	Failed  int64   // in that second
	Dropped int64   // in that second
}

// FirstTrouble finds it; ok is false where there was no excursion, or none that broke.
func (l *Load) FirstTrouble() (t Trouble, ok bool) {
	for _, iv := range l.Series {
		if iv.Phase == "excursion" && iv.Failed+iv.Dropped > 0 {
			return Trouble{At: iv.Offset, Rate: l.OfferedAt(iv.Offset), Failed: iv.Failed, Dropped: iv.Dropped}, true
		}
	}
	return Trouble{}, false
}

// OfferedAt is the rate in fetches per second that was asked for at a time in seconds since Start.
func (l *Load) OfferedAt(at float64) float64 {
	rate := l.OfferedRate
	for _, s := range l.Stages {
		if at < s.At {
			break
		}
		rate = s.To
		if at < s.At+s.Seconds {
			rate = s.From + (s.To-s.From)*(at-s.At)/s.Seconds
		}
	}
	return rate
}

// JudgedRate is the highest rate in fetches per second that was asked for in what is judged.
func (l *Load) JudgedRate() float64 {
	rate := l.OfferedRate
	for _, s := range l.Stages {
		if !s.Excursion {
			rate = max(rate, s.From, s.To)
		}
	}
	return rate
}

// Completed is how many fetches ended in the span of Measured, excursions included: what the
// resources used in it were used for.
func (l *Load) Completed() int64 {
	if l.Excursion == nil {
		return l.Fetches
	}
	return l.Fetches + l.Excursion.Fetches
}

// Spent is the length of Measured in seconds.
func (l *Load) Spent() float64 {
	if l.Excursion == nil {
		return l.MeasuredSeconds
	}
	return l.MeasuredSeconds + l.Excursion.Seconds
}
