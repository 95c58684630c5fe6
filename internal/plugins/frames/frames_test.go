package frames_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

var (
	some = map[string]string{"k": "v"}
	at   = time.Unix(1e9, 7)
)

// fill sets every field of a struct, so that one that is forgotten is found.
func fill[T any](t *testing.T) *T {
	t.Helper()
	v := new(T)
	fillValue(t, reflect.ValueOf(v).Elem())
	return v
}

func fillValue(t *testing.T, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = at
		return
	case *map[string]string:
		*x = some
		return
	case *[]string:
		*x = []string{"a", "b"}
		return
	case *[]byte:
		*x = []byte{0xff, 0}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(t, v.Elem())
	case reflect.String:
		v.SetString(v.Type().String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(2)
	default:
		t.Fatalf("a %s", v.Type())
	}
}

// roundTrip sends a value, all of it set and nothing of it, over the wire and back.
func roundTrip[T any, W proto.Message](t *testing.T, from func(*T) W, to func(W) T) {
	t.Helper()
	for _, v := range []*T{fill[T](t), new(T)} {
		b, err := proto.Marshal(from(v))
		if err != nil {
			t.Fatal(err)
		}
		w := from(new(T)).ProtoReflect().New().Interface().(W)
		if err := proto.Unmarshal(b, w); err != nil {
			t.Fatal(err)
		}
		if got := to(w); !reflect.DeepEqual(got, *v) {
			t.Errorf("got %+v\nwant %+v", got, *v)
		}
	}
}

// TestNothingIsLostOnTheWire: every field of every type comes across.
func TestNothingIsLostOnTheWire(t *testing.T) {
	t.Parallel()
	roundTrip(t, frames.FromMessage, frames.ToMessage)
	roundTrip(t, frames.FromRoomEvent, frames.ToRoomEvent)
	roundTrip(t, frames.FromSessionEvent, frames.ToSessionEvent)
	roundTrip(t, frames.FromNotification, frames.ToNotification)
	roundTrip(t, frames.FromAction, frames.ToAction)
	roundTrip(t, frames.FromAnswer, frames.ToAnswer)
	roundTrip(t, frames.FromCredentials, frames.ToCredentials)
	roundTrip(t, frames.FromIdentity, frames.ToIdentity)
	roundTrip(t, frames.FromAccess, frames.ToAccess)
	roundTrip(t, frames.FromRefusal, frames.ToRefusal)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	for _, test := range []struct {
		err  error
		want error
	}{
		{nil, nil},
		{plugin.Refused("no"), plugin.Refused("no")},
		{plugin.PermissionDenied("no"), plugin.PermissionDenied("no")},
		{plugin.Unauthenticated("no"), plugin.Unauthenticated("no")},
		{plugin.Unavailable("later", errors.New("inside")), plugin.Unavailable("later", nil)},
		{&plugin.Error{Kind: plugin.KindUnavailable, RetryAfter: 1500 * time.Microsecond}, &plugin.Error{Kind: plugin.KindUnavailable, RetryAfter: 2 * time.Millisecond}},
		{errors.New("disk\xff full"), errors.New("it says: disk? full")},
		{errors.New(long), errors.New("it says: " + long[:frames.MaxReason])},
		{plugin.Refused("%s", long), errors.New("it says: its reason of 2000 bytes cannot be told: 1 to 1024 bytes of UTF-8 can")},
	} {
		got := frames.ToError(frames.FromError(test.err))
		var a, b *plugin.Error
		if errors.As(got, &a) != errors.As(test.want, &b) || a != nil && *a != *b || a == nil && (got == nil) != (test.want == nil) ||
			a == nil && got != nil && got.Error() != test.want.Error() {
			t.Errorf("%v: got %#v, want %#v", test.err, got, test.want)
		}
	}
}

// TestBatches: what waits goes into one frame, in its order, up to a bound.
func TestBatches(t *testing.T) {
	t.Parallel()
	q := frames.NewQueue()
	content := bytes.Repeat([]byte("x"), 10_000)
	for id := range uint64(20) {
		b, err := frames.Asked(&pluginv1.Call{Id: id, Request: &pluginv1.Call_InterceptMessage{InterceptMessage: &pluginv1.Message{Content: content}}})
		if err != nil {
			t.Fatal(err)
		}
		q.Put(b)
		q.Put(frames.Cancelled(id))
	}
	var frame frames.Frame
	next, taken := uint64(0), 0
	for next < 20 {
		<-q.More()
		frame = q.Take(frame)
		out, err := frames.Codec{}.Marshal(frame)
		if err != nil || out.Len() > 64<<10 {
			t.Fatal(out.Len(), err)
		}
		taken++
		var got pluginv1.NodeFrame
		if err := (frames.Codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(out.Materialize())}, &got); err != nil {
			t.Fatal(err)
		}
		for _, c := range got.GetCalls() {
			if c.GetId() != next || !bytes.Equal(c.GetInterceptMessage().GetContent(), content) {
				t.Errorf("got %d, want %d", c.GetId(), next)
			}
			next++
		}
	}
	if taken != 4 {
		t.Errorf("%d frames", taken)
	}
	if _, err := frames.Asked(&pluginv1.Call{Request: &pluginv1.Call_InterceptMessage{InterceptMessage: &pluginv1.Message{Content: make([]byte, frames.MaxBytes)}}}); err == nil {
		t.Error("a frame that is too large")
	}
}
