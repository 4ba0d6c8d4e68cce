package journal

import (
	"fmt"
	"log/slog"
)

// logger hands the embedded server's log to slog. The server's notices are of
// its own life, which nobody asked for: they are debug here.
type logger struct{ log *slog.Logger }

func (l logger) say(level func(string, ...any), format string, v []any) {
	level("nats server", "message", fmt.Sprintf(format, v...))
}

func (l logger) Noticef(format string, v ...any) { l.say(l.log.Debug, format, v) }
func (l logger) Warnf(format string, v ...any)   { l.say(l.log.Warn, format, v) }
func (l logger) Errorf(format string, v ...any)  { l.say(l.log.Error, format, v) }
func (l logger) Debugf(format string, v ...any)  { l.say(l.log.Debug, format, v) }
func (l logger) Tracef(string, ...any)           {}

// Fatalf is for what keeps the server from starting. The server's own logger
// ends the process; here the start fails, and says so.
func (l logger) Fatalf(format string, v ...any) { l.say(l.log.Error, format, v) }
