package logs

import "sync"

// streams is what is known of a log group's streams. What it knows saves calls;
// it may be wrong, and the service's answers correct it. The zero value knows
// nothing.
type streams struct {
	mu    sync.Mutex
	known map[string]bool
	// absent says that the last stream that was not known was not there either:
	// the group is new. Then a stream is made before its first call, which takes
	// two calls instead of three: with 2,000 interfaces that is seconds.
	absent bool
	// tokens are by stream; nil until a service wants them. AWS stopped to in
	// 2023 (API reference, PutLogEvents), old likenesses did not.
	tokens map[string]string
}

// maxKnown bounds the memory of interfaces that come and go. Beyond it all are
// forgotten, which costs nothing but a call per stream, at worst.
const maxKnown = 100_000

func (s *streams) isProbablyAbsent(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.absent && !s.known[stream]
}

// took notes that a stream is there, and the token for the next call.
func (s *streams) took(stream string, next *string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known[stream] {
		if s.known == nil || len(s.known) >= maxKnown {
			s.known = map[string]bool{}
		}
		s.known[stream] = true
	}
	if s.tokens != nil {
		s.setLocked(stream, next)
	}
}

// made notes whether a stream that was made had not been there.
func (s *streams) made(anew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absent = anew
}

func (s *streams) forget(stream string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, stream)
	delete(s.tokens, stream)
}

func (s *streams) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
	clear(s.tokens)
}

// demand notes that the service wants tokens, and which one for this stream.
func (s *streams) demand(stream string, token *string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = map[string]string{}
	}
	s.setLocked(stream, token)
}

func (s *streams) setLocked(stream string, token *string) {
	if token == nil { // what an empty stream wants
		delete(s.tokens, stream)
		return
	}
	s.tokens[stream] = *token
}

func (s *streams) token(stream string) *string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tokens[stream]; ok {
		return &t
	}
	return nil
}
