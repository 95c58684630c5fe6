package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
)

func metadataFrame(m *imv1.AudioMetadata) *imv1.UploadAudioRequest {
	return &imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Metadata{Metadata: m}}
}

func chunkFrame(b []byte) *imv1.UploadAudioRequest {
	return &imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Chunk{Chunk: b}}
}

// upload sends frames as a user, who may be empty, and returns the answer.
func upload(t *testing.T, b *bench, user string, frames ...*imv1.UploadAudioRequest) (*imv1.UploadAudioResponse, error) {
	t.Helper()
	stream, err := imv1.NewIMServiceClient(b.im).UploadAudio(as(t, user))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := stream.Send(f); err != nil {
			break // it was refused; the answer says why
		}
	}
	return stream.CloseAndRecv()
}

// spoken is what alice uploads to room r.
func spoken() *imv1.AudioMetadata {
	return &imv1.AudioMetadata{UserId: "alice", RoomId: "r", Format: "mp3", Size: 10, Duration: 2.5}
}

// startWithAlice serves a node in whose room r alice is.
func startWithAlice(t *testing.T, overrides ...conf.Override) *bench {
	t.Helper()
	b := start(t, overrides...)
	b.ready.SetServing(true)
	if _, err := imv1.NewIMServiceClient(b.im).JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r"}); err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded uploads ten digits.
func recorded(t *testing.T, b *bench) *imv1.UploadAudioResponse {
	t.Helper()
	resp, err := upload(t, b, "", metadataFrame(spoken()), chunkFrame([]byte("01234")), chunkFrame(nil), chunkFrame([]byte("56789")))
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// fetch makes a request to the client HTTP listener, with headers in pairs.
func fetch(t *testing.T, method, url string, headers ...string) (code int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(as(t, ""), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestUploadedIsFetched(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	up := recorded(t, b)
	if up.GetStatus() == nil || up.GetStatus().GetCode() != 0 || up.GetAudioUrl() != b.http+"/audio/"+up.GetAudioId() {
		t.Fatalf("got %v", up)
	}
	for name, test := range map[string]struct {
		method  string
		headers []string
		code    int
		body    string
	}{
		"whole":         {http.MethodGet, nil, http.StatusOK, "0123456789"},
		"head":          {http.MethodHead, nil, http.StatusOK, ""},
		"a part":        {http.MethodGet, []string{"Range", "bytes=2-4"}, http.StatusPartialContent, "234"},
		"the end":       {http.MethodGet, []string{"Range", "bytes=-3"}, http.StatusPartialContent, "789"},
		"from there":    {http.MethodGet, []string{"Range", "bytes=8-"}, http.StatusPartialContent, "89"},
		"beyond":        {http.MethodGet, []string{"Range", "bytes=10-"}, http.StatusRequestedRangeNotSatisfiable, "invalid range: failed to overlap\n"},
		"unchanged":     {http.MethodGet, []string{"If-None-Match", `"` + up.GetAudioId() + `"`}, http.StatusNotModified, ""},
		"another range": {http.MethodGet, []string{"Range", "bytes=2-4", "If-Range", `"other"`}, http.StatusOK, "0123456789"},
	} {
		code, _, body := fetch(t, test.method, up.GetAudioUrl(), append(test.headers, "User-Id", "alice")...)
		if code != test.code || body != test.body {
			t.Errorf("%s: %d %q, want %d %q", name, code, body, test.code, test.body)
		}
	}
	_, header, _ := fetch(t, http.MethodHead, up.GetAudioUrl()+"?user-id=alice")
	for key, want := range map[string]string{
		"Content-Type": "audio/mpeg", "Content-Length": "10", "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
		"ETag": `"` + up.GetAudioId() + `"`, "Content-Disposition": `inline; filename="` + up.GetAudioId() + `.mp3"`,
		"Cache-Control": "private, max-age=31536000, immutable",
	} {
		if got := header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if n := b.metric(t, "hermod_http_requests_total", "206", "audio"); n != 3 {
		t.Errorf("%v parts counted", n)
	}
	if stored, bytes := b.metric(t, "hermod_audio_uploads_total", "stored"), b.metric(t, "hermod_audio_upload_bytes_total"); stored != 1 || bytes != 10 {
		t.Errorf("%v uploads of %v bytes counted", stored, bytes)
	}
}

func TestFetchRefusals(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	url := recorded(t, b).GetAudioUrl()
	if err := os.WriteFile(b.blobs+"/secret", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		method, url string
		code        int
		reason      string
	}{
		"nobody":                 {http.MethodGet, url, http.StatusUnauthorized, "UNAUTHENTICATED"},
		"a bad token":            {http.MethodGet, url + "?user-id=refused", http.StatusUnauthorized, "UNAUTHENTICATED"},
		"no member":              {http.MethodGet, url + "?user-id=eve", http.StatusForbidden, "NOT_A_MEMBER"},
		"no user":                {http.MethodGet, url + "?user-id=" + strings.Repeat("x", 256), http.StatusBadRequest, "INVALID_ARGUMENT"},
		"unknown":                {http.MethodGet, url + "0?user-id=alice", http.StatusNotFound, "AUDIO_NOT_FOUND"},
		"a file without row":     {http.MethodGet, b.http + "/audio/secret?user-id=alice", http.StatusNotFound, "AUDIO_NOT_FOUND"},
		"the folder":             {http.MethodGet, b.http + "/audio/?user-id=alice", http.StatusNotFound, "NO_SUCH_PAGE"},
		"the folder by name":     {http.MethodGet, b.http + "/audio/.?user-id=alice", http.StatusNotFound, "NO_SUCH_PAGE"},
		"up":                     {http.MethodGet, b.http + "/audio/..%2fhermod.db?user-id=alice", http.StatusNotFound, "AUDIO_NOT_FOUND"},
		"up, encoded":            {http.MethodGet, b.http + "/audio/%2e%2e%2f%2e%2e%2fetc%2fpasswd?user-id=alice", http.StatusNotFound, "AUDIO_NOT_FOUND"},
		"up, twice":              {http.MethodGet, b.http + "/audio/../../etc/passwd?user-id=alice", http.StatusNotFound, "NO_SUCH_PAGE"},
		"NUL":                    {http.MethodGet, b.http + "/audio/a%00?user-id=alice", http.StatusBadRequest, "INVALID_ARGUMENT"},
		"elsewhere":              {http.MethodGet, b.http + "/debug/pprof/", http.StatusNotFound, "NO_SUCH_PAGE"},
		"a method":               {http.MethodPost, url + "?user-id=alice", http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
		"another":                {http.MethodDelete, url + "?user-id=alice", http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
		"a fault of the checker": {http.MethodGet, url + "?user-id=panic", http.StatusInternalServerError, "PANIC"},
	} {
		code, header, body := fetch(t, test.method, test.url)
		var said struct{ Reason, Text string }
		if err := json.Unmarshal([]byte(body), &said); err != nil || said.Text == "" || strings.Contains(body, "secret of") {
			t.Errorf("%s: %q, %v", name, body, err)
		}
		if code != test.code || said.Reason != test.reason {
			t.Errorf("%s: %d %s, want %d %s", name, code, said.Reason, test.code, test.reason)
		}
		if header.Get("Cache-Control") != "no-store" || (test.code == http.StatusUnauthorized) != (header.Get("WWW-Authenticate") == "Bearer") {
			t.Errorf("%s: headers %v", name, header)
		}
	}
}

// TestPublicURL: audio_url begins with what a proxy is reached as.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t, conf.Override{Path: "server.http.public_url", Value: "https://chat.example.com/im/"})
	if up := recorded(t, b); up.GetAudioUrl() != "https://chat.example.com/im/audio/"+up.GetAudioId() {
		t.Errorf("got %s", up.GetAudioUrl())
	}
}

func TestHTTPConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	b := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a connection", func() bool { return b.metric(t, "hermod_connections", "http") == 1 })
	conn.Close()
	await(t, "no connection", func() bool { return b.metric(t, "hermod_connections", "http") == 0 })
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	with := func(change func(*imv1.AudioMetadata)) *imv1.UploadAudioRequest {
		m := spoken()
		change(m)
		return metadataFrame(m)
	}
	ten := chunkFrame([]byte("0123456789"))
	for name, test := range map[string]struct {
		user   string
		frames []*imv1.UploadAudioRequest
		code   codes.Code
		reason string
	}{
		"no frame":       {"alice", nil, codes.InvalidArgument, "UPLOAD_PROTOCOL"},
		"an empty frame": {"alice", []*imv1.UploadAudioRequest{{}}, codes.InvalidArgument, "UPLOAD_PROTOCOL"},
		"a chunk first":  {"alice", []*imv1.UploadAudioRequest{ten}, codes.InvalidArgument, "UPLOAD_PROTOCOL"},
		"metadata twice": {"alice", []*imv1.UploadAudioRequest{metadataFrame(spoken()), metadataFrame(spoken())}, codes.InvalidArgument, "UPLOAD_PROTOCOL"},
		"nothing in it":  {"alice", []*imv1.UploadAudioRequest{metadataFrame(spoken()), {}}, codes.InvalidArgument, "UPLOAD_PROTOCOL"},
		"too few":        {"alice", []*imv1.UploadAudioRequest{metadataFrame(spoken()), chunkFrame([]byte("x"))}, codes.InvalidArgument, "AUDIO_SIZE"},
		"too many":       {"alice", []*imv1.UploadAudioRequest{metadataFrame(spoken()), ten, ten}, codes.InvalidArgument, "AUDIO_SIZE"},
		// gRPC ends the stream by itself, and says how large it was.
		"a huge chunk":      {"alice", []*imv1.UploadAudioRequest{metadataFrame(spoken()), chunkFrame(make([]byte, 2<<20))}, codes.ResourceExhausted, ""},
		"no member":         {"eve", []*imv1.UploadAudioRequest{with(func(m *imv1.AudioMetadata) { m.UserId = "" }), ten}, codes.PermissionDenied, "NOT_A_MEMBER"},
		"somebody else":     {"eve", []*imv1.UploadAudioRequest{metadataFrame(spoken()), ten}, codes.PermissionDenied, "FOREIGN_USER"},
		"a bad token":       {"refused", []*imv1.UploadAudioRequest{metadataFrame(spoken())}, codes.Unauthenticated, "UNAUTHENTICATED"},
		"another format":    {"alice", []*imv1.UploadAudioRequest{with(func(m *imv1.AudioMetadata) { m.Format = "exe" })}, codes.InvalidArgument, "AUDIO_FORMAT"},
		"larger than it is": {"alice", []*imv1.UploadAudioRequest{with(func(m *imv1.AudioMetadata) { m.Size = 33 << 20 })}, codes.InvalidArgument, "AUDIO_TOO_LARGE"},
	} {
		resp, err := upload(t, b, test.user, test.frames...)
		t.Run(name, func(t *testing.T) {
			if err == nil {
				t.Fatalf("got %v", resp)
			}
			wantRefused(t, err, test.code, test.reason)
		})
	}
	_, err := upload(t, b, "panic", metadataFrame(spoken()))
	wantInternal(t, err)
	wantNoFile(t, b)
	recorded(t, b)
	b.ready.SetServing(false)
	_, err = upload(t, b, "alice", metadataFrame(spoken()), ten)
	wantRefused(t, err, codes.Unavailable, "NOT_SERVING")
}

func wantNoFile(t *testing.T, b *bench) {
	t.Helper()
	if files, err := os.ReadDir(b.blobs); err != nil || len(files) > 0 {
		t.Errorf("files %v, %v", files, err)
	}
}

// TestUndecodableFrame: what is no protobuf is the sender's fault.
func TestUndecodableFrame(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	stream, err := b.im.NewStream(as(t, "alice"), &grpc.StreamDesc{ClientStreams: true}, imv1.IMService_UploadAudio_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	// A message whose only field is a text, where the frame has a message with texts.
	if err := stream.SendMsg(&imv1.JoinRoomRequest{UserId: "\x0a\x01"}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, stream.RecvMsg(&imv1.UploadAudioResponse{}), codes.InvalidArgument, "MALFORMED")
}

// begin starts an upload and waits until its first bytes have arrived.
func begin(t *testing.T, b *bench, size int64, first []byte) (stream grpc.ClientStreamingClient[imv1.UploadAudioRequest, imv1.UploadAudioResponse]) {
	t.Helper()
	before := b.metric(t, "hermod_audio_upload_bytes_total")
	stream, err := imv1.NewIMServiceClient(b.im).UploadAudio(as(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	m := spoken()
	m.Size = size
	for _, f := range []*imv1.UploadAudioRequest{metadataFrame(m), chunkFrame(first)} {
		if err := stream.Send(f); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the bytes", func() bool { return b.metric(t, "hermod_audio_upload_bytes_total") == before+float64(len(first)) })
	return stream
}

func TestUploadThatStalls(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t, conf.Override{Path: "audio.idle_timeout", Value: "1s"})
	_, err := begin(t, b, 10, []byte("x")).CloseAndRecv()
	wantRefused(t, err, codes.InvalidArgument, "AUDIO_SIZE") // it did not stall, it ended
	stream := begin(t, b, 10, []byte("x"))
	err = stream.RecvMsg(&imv1.UploadAudioResponse{})
	wantRefused(t, err, codes.Unavailable, "UPLOAD_STALLED")
	wantNoFile(t, b)
	if n := b.metric(t, "hermod_audio_uploads_total", "broken"); n != 1 {
		t.Errorf("%v broken uploads counted", n)
	}
}

func TestUploadIsCutByAStop(t *testing.T) {
	t.Parallel()
	b := startWithAlice(t)
	stream := begin(t, b, 1<<20, bytes.Repeat([]byte("x"), 1000))
	if err := b.audios.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNoFile(t, b)
	wantRefused(t, stream.RecvMsg(&imv1.UploadAudioResponse{}), codes.Unavailable, "NOT_SERVING")
}
