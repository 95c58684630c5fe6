package transport

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Advice stands between these at the end of a close's text.
const (
	adviceOpens  = " (retry after "
	adviceCloses = "ms)"
)

// After returns d with the advice to come back no sooner than that.
func (d Disconnect) After(retry time.Duration) Disconnect {
	d.Retry = retry.Round(time.Millisecond)
	return d
}

// Words is the reason with the advice behind it, "… (retry after 1500ms)", for transports that close a
// connection with a code and a text: WebSocket and QUIC. Of more than limit bytes the reason is cut,
// between two characters, and never the advice.
func (d Disconnect) Words(limit int) string {
	advice := ""
	if d.Retry > 0 {
		advice = adviceOpens + strconv.FormatInt(d.Retry.Milliseconds(), 10) + adviceCloses
	}
	n := max(0, limit-len(advice))
	if n >= len(d.Reason) {
		return d.Reason + advice
	}
	for n > 0 && !utf8.RuneStart(d.Reason[n]) {
		n--
	}
	return d.Reason[:n] + advice
}

// ReadWords is the way back, for clients.
func ReadWords(code uint32, words string) Disconnect {
	d := Disconnect{Code: code, Reason: words}
	rest, ok := strings.CutSuffix(words, adviceCloses)
	if !ok {
		return d
	}
	at := strings.LastIndex(rest, adviceOpens)
	if at < 0 {
		return d
	}
	ms, err := strconv.ParseUint(rest[at+len(adviceOpens):], 10, 31) // 24 days: nobody means more
	if err != nil {
		return d
	}
	d.Reason, d.Retry = words[:at], time.Duration(ms)*time.Millisecond
	return d
}

// Spread returns a time between half of mean and half as much again, another one each time: clients that
// are turned away in the same moment do not all come back in the same moment.
func Spread(mean time.Duration) time.Duration {
	if mean <= 0 {
		return 0
	}
	return mean/2 + rand.N(mean)
}
