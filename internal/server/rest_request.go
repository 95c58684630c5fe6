package server

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// refusal is an answer that is no result.
type refusal struct {
	code         int
	reason, text string
}

// request reads a request and returns what fills its message.
func (s *REST) request(w http.ResponseWriter, r *http.Request, m *restMethod) (fill func(any) error, _ *refusal) {
	if !m.body {
		return func(req any) error { return fromQuery(req.(proto.Message), r, m.params) }, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		// Also what keeps pages in a browser out: they may send other types to anybody, and this one to
		// nobody who does not allow it.
		return nil, &refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "the header Content-Type: application/json is required"}
	}
	if len(r.URL.Query()) > 0 {
		return nil, &refusal{http.StatusBadRequest, "MALFORMED", "the request is in the body; nothing behind ? is allowed"}
	}
	stall := http.NewResponseController(w)
	_ = stall.SetReadDeadline(time.Now().Add(httpStall)) // a connection that has none serves as well
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.limit))
	_ = stall.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &refusal{http.StatusRequestEntityTooLarge, "TOO_LARGE", "the body has more than " + strconv.FormatInt(s.limit, 10) + " bytes"}
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, "MALFORMED", "the body did not come"}
	}
	return func(req any) error { return protojson.Unmarshal(body, req.(proto.Message)) }, nil
}

// fromQuery fills a message from the path and what is behind ?, both of which name fields.
func fromQuery(req proto.Message, r *http.Request, params []string) error {
	fields := req.ProtoReflect().Descriptor().Fields()
	object := map[string]any{}
	for name, values := range r.URL.Query() {
		f := fields.ByName(protoreflect.Name(name))
		switch {
		case f == nil || f.IsList() || f.IsMap() || f.Message() != nil || slices.Contains(params, name):
			return errors.New("the parameter " + strconv.Quote(name) + " is not known here")
		case len(values) != 1:
			return errors.New("the parameter " + strconv.Quote(name) + " is there more than once")
		}
		object[name] = values[0] // JSON has numbers in quotes, too
		if f.Kind() == protoreflect.BoolKind {
			on, err := strconv.ParseBool(values[0])
			if err != nil {
				return errors.New("the parameter " + strconv.Quote(name) + " is true or false")
			}
			object[name] = on
		}
	}
	for _, name := range params {
		object[name] = r.PathValue(name)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(text, req)
}

// refuseREST answers with the error of a call. One that is of neither rules nor context is of fill: the
// request could not be read.
func refuseREST(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	e := restError(log, err)
	answerHTTP(w, r, e.code, e.reason, e.text)
}

func restError(log *slog.Logger, err error) refusal {
	var known *kerrors.Error
	if errors.As(err, &known) {
		return refusal{int(known.Code), known.Reason, known.Message}
	}
	if errors.Is(err, errWrite) {
		log.Debug("a client has gone before it had its answer", "error", err)
		return refusal{499, "CANCELED", "the client has gone"}
	}
	return refusal{http.StatusBadRequest, "MALFORMED", "the request could not be read: " + err.Error()}
}
