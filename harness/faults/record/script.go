package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Nodes, as steps name them: the one that leads at the beginning, the other one, and the one that
// leads now.
const (
	first  = "first"
	second = "second"
	leader = "leader"
)

// same is a lock's holder that is the one of the beginning.
const same = "same"

// maxAnswer is how much of an answer is read.
const maxAnswer = 4 << 20

// system is two OpenBao on one PostgreSQL.
type system interface {
	// node is the base URL of a node.
	node(ctx context.Context, at string) (string, error)
	// act does an action and returns when it is done.
	act(ctx context.Context, action, at string, limit time.Duration) error
	audit() ([]byte, error)
	lock(ctx context.Context) (holder string, err error)
	gone(at string) bool
	token() string                       // of one who may do everything
	login() (*openbao.InlineAuth, error) // the same, for one request
}

// script does the steps of one try.
type script struct {
	system
	http   *http.Client
	saved  map[string]string
	number atomic.Int64
	proof  []string // what showed the bug; none where it did not show
}

// placeholder is ${name}.
var placeholder = regexp.MustCompile(`\$\{[a-z0-9]+\}`)

// run does the steps, and reports whether the bug showed. An error means that it is not known.
func (s *script) run(ctx context.Context, steps []Step) (found bool, err error) {
	holder, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	s.saved = map[string]string{"holder": holder}
	for i := range steps {
		step := &steps[i]
		shown := true
		switch {
		case step.Do != "":
			err = s.act(ctx, step.Do, step.At, time.Duration(step.Limit))
		case len(step.Together) > 0:
			s.together(ctx, step)
			err = ctx.Err()
		case step.Send != "":
			shown, err = s.send(ctx, step)
		default:
			shown, err = s.look(ctx, step)
		}
		if err != nil {
			return false, fmt.Errorf("step %d (%s): %w", i+1, step.name(), err)
		}
		if !shown {
			s.proof = nil // of the whole
			return false, nil
		}
	}
	return true, nil
}

// name says what a step is.
func (s *Step) name() string {
	switch {
	case s.Send != "":
		return s.Send
	case s.Do != "":
		return s.Do
	case len(s.Together) > 0:
		return "clients together"
	}
	return "what shows"
}

// together has clients repeat their steps until the limit. What they are answered does not count.
func (s *script) together(ctx context.Context, step *Step) {
	ctx, cancel := context.WithTimeout(ctx, limitOf(step))
	defer cancel()
	var clients sync.WaitGroup
	for c := range step.Clients {
		clients.Go(func() {
			for ctx.Err() == nil {
				n := strconv.Itoa(int(s.number.Add(1)))
				for i := range step.Together {
					_, _, _ = s.ask(ctx, &step.Together[i], n, strconv.Itoa(c))
				}
			}
		})
	}
	clients.Wait()
}

// send makes a request, until it shows the bug where it is the one that does.
func (s *script) send(ctx context.Context, step *Step) (shown bool, err error) {
	for range max(1, step.Repeat) {
		n := strconv.Itoa(int(s.number.Add(1)))
		if step.Shows != nil {
			return s.sendToShow(ctx, step, n)
		}
		status, body, err := s.ask(ctx, step, n, "")
		switch {
		case step.Any && ctx.Err() == nil:
			continue
		case err != nil:
			return false, err
		case !wanted(step.Want, status):
			return false, fmt.Errorf("status %d: %s", status, excerpt(body))
		}
		if err := s.save(step, body); err != nil {
			return false, err
		}
	}
	return true, ctx.Err()
}

// sendToShow makes a request whose answer, or whose missing answer, shows the bug or not.
func (s *script) sendToShow(ctx context.Context, step *Step, n string) (bool, error) {
	status, body, err := s.ask(ctx, step, n, "")
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if step.Shows.Silent {
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return false, err
		}
		if err != nil {
			s.proved("%s: no answer within %s", step.Send, limitOf(step))
		}
		return err != nil, nil
	}
	if err != nil {
		return false, err
	}
	if len(step.Shows.Status) > 0 && !slices.Contains(step.Shows.Status, status) {
		return false, nil
	}
	pattern, err := regexp.Compile(s.quoted(step.Shows.Body))
	if err != nil || !pattern.Match(body) {
		return false, err
	}
	s.proved("%s: status %d %s", step.Send, status, excerpt(pattern.Find(body)))
	return true, nil
}

// look waits until a node, the lock or the audit log shows the bug.
func (s *script) look(ctx context.Context, step *Step) (bool, error) {
	w := step.Shows
	with, errWith := regexp.Compile(s.quoted(w.Audit))
	without, errWithout := regexp.Compile(s.quoted(w.Without))
	if err := errors.Join(errWith, errWithout); err != nil {
		return false, err
	}
	_, late := wait.Until(ctx, wait.For{
		What: "the bug shows", Interval: 100 * time.Millisecond, Deadline: limitOf(step),
	}, func(ctx context.Context) error {
		if w.Gone && !s.gone(step.At) {
			return errors.New("the process runs")
		}
		if w.Lock == same {
			holder, err := s.lock(ctx)
			if err != nil || holder != s.saved["holder"] {
				return errors.Join(err, errors.New("the lock has another holder, or none"))
			}
		}
		if w.Audit == "" {
			return nil
		}
		log, err := s.audit()
		if err != nil {
			return err
		}
		for line := range bytes.Lines(log) {
			if with.Match(line) && (w.Without == "" || !without.Match(line)) {
				return nil
			}
		}
		return errors.New("the audit log does not have it")
	})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if late == nil {
		s.proved("%s", w.what())
	}
	return late == nil, nil
}

// what says what a step without a request looks at.
func (w *Shows) what() string {
	var parts []string
	if w.Gone {
		parts = append(parts, "the node's process has ended")
	}
	if w.Lock != "" {
		parts = append(parts, "the lock has the holder of the beginning")
	}
	if w.Audit != "" {
		parts = append(parts, "the audit log matches "+w.Audit)
	}
	if w.Without != "" {
		parts = append(parts, "without "+w.Without)
	}
	return strings.Join(parts, "; ")
}

func (s *script) proved(format string, args ...any) {
	s.proof = append(s.proof, secret.Redact(fmt.Sprintf(format, args...)))
}

// wanted reports whether a status is one of some; of 2xx where there are none.
func wanted(list []int, status int) bool {
	if len(list) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(list, status)
}

// ask makes a request and returns the answer. The number and the client stand for ${n} and ${c}.
func (s *script) ask(ctx context.Context, step *Step, n, client string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limitOf(step))
	defer cancel()
	base, err := s.node(ctx, step.At)
	if err != nil {
		return 0, nil, err
	}
	fill := func(text string) string {
		return strings.NewReplacer(append(s.pairs(plain), "${n}", n, "${c}", client)...).Replace(text)
	}
	method, path, _ := strings.Cut(fill(step.Send), " ")
	var content io.Reader
	if step.Body != nil {
		raw, err := json.Marshal(step.Body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader([]byte(fill(string(raw))))
	}
	r, err := http.NewRequestWithContext(ctx, method, base+"/v1/"+path, content)
	if err != nil {
		return 0, nil, err
	}
	if err := s.identify(r, step.As); err != nil {
		return 0, nil, err
	}
	for name, value := range step.Header {
		r.Header.Set(name, fill(value))
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, body, err
}

// identify adds what says who asks.
func (s *script) identify(r *http.Request, as string) error {
	switch as {
	case "":
		r.Header.Set(openbao.HeaderToken, s.token())
	case "nobody":
	case "inline":
		auth, err := s.login()
		if err != nil {
			return err
		}
		for name, values := range auth.Header() {
			r.Header[name] = values
		}
	default:
		token := s.saved[as]
		if token == "" {
			return fmt.Errorf("nothing was saved as %q", as)
		}
		r.Header.Set(openbao.HeaderToken, token)
	}
	return nil
}

// save keeps texts of an answer.
func (s *script) save(step *Step, body []byte) error {
	for name, place := range step.Save {
		var at any
		if err := json.Unmarshal(body, &at); err != nil {
			return err
		}
		for key := range strings.SplitSeq(place, ".") {
			m, _ := at.(map[string]any)
			at = m[key]
		}
		text, _ := at.(string)
		if text == "" {
			return fmt.Errorf("the answer has no text at %s", place)
		}
		if strings.HasSuffix(place, "token") {
			secret.Learn(text)
		}
		s.saved[name] = text
	}
	return nil
}

func plain(text string) string { return text }

// pairs are the placeholders and what stands for them.
func (s *script) pairs(as func(string) string) []string {
	var list []string
	for name, text := range s.saved {
		list = append(list, "${"+name+"}", as(text))
	}
	return list
}

// quoted is a regular expression with what was saved, which stands for itself.
func (s *script) quoted(pattern string) string {
	return strings.NewReplacer(s.pairs(regexp.QuoteMeta)...).Replace(pattern)
}

// excerpt is the beginning of an answer, in one line.
func excerpt(body []byte) string {
	text := strings.Join(strings.Fields(string(body[:min(len(body), 200)])), " ")
	return strings.ToValidUTF8(text, "")
}
