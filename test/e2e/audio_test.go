package e2e

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	_ "modernc.org/sqlite" // what the node's own driver is made of

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// sdkChunk is how the SDK cuts a recording.
const sdkChunk = 32 << 10

// recording returns bytes that repeat nowhere.
func recording(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256(nil)).Read(b) // never fails
	return b
}

// beginUpload sends metadata and the first bytes, and leaves the upload open.
func beginUpload(t *testing.T, im imv1.IMServiceClient, m *imv1.AudioMetadata, data []byte) (imv1.IMService_UploadAudioClient, error) {
	t.Helper()
	stream, err := im.UploadAudio(within(t))
	if err != nil {
		return nil, err
	}
	// A Send that fails has io.EOF; what was wrong comes with the answer.
	err = stream.Send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Metadata{Metadata: m}})
	for len(data) > 0 && err == nil {
		n := min(sdkChunk, len(data))
		err = stream.Send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Chunk{Chunk: data[:n]}})
		data = data[n:]
	}
	return stream, nil
}

func uploadAudio(t *testing.T, im imv1.IMServiceClient, m *imv1.AudioMetadata, data []byte) (*imv1.UploadAudioResponse, error) {
	t.Helper()
	stream, err := beginUpload(t, im, m, data)
	if err != nil {
		return nil, err
	}
	return stream.CloseAndRecv()
}

// of describes data as the published SDK would.
func of(user string, data []byte) *imv1.AudioMetadata {
	return &imv1.AudioMetadata{UserId: user, RoomId: "room", Format: "opus", Size: int64(len(data)), Duration: 3.5}
}

// in moves what is described to another room.
func in(room string, m *imv1.AudioMetadata) *imv1.AudioMetadata {
	m.RoomId = room
	return m
}

// fetchAudio downloads as a user, with headers in pairs.
func fetchAudio(t *testing.T, url, user string, headers ...string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.Header.Set("User-Id", user)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	// A node that is killed is to have no connection that looks alive. It is not asked to close it either: a system
	// that is short of memory for TCP resets what was closed before it was read.
	connection := &http.Transport{}
	defer connection.CloseIdleConnections()
	resp, err := connection.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// Blobs lists the files of recordings, whole or not.
func (n *Node) Blobs() (names []string) {
	n.t.Helper()
	files, err := os.ReadDir(filepath.Join(filepath.Dir(n.LogFile), "data", "blobs"))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// ageBlobs has the files of recordings look as old.
func (n *Node) ageBlobs(by time.Duration) {
	n.t.Helper()
	for _, name := range n.Blobs() {
		file, then := filepath.Join(filepath.Dir(n.LogFile), "data", "blobs", name), time.Now().Add(-by)
		if err := os.Chtimes(file, then, then); err != nil {
			n.t.Fatal(err)
		}
	}
}

// TestAudioSurvivesKill: what was answered is there whole after kill -9, for members alone; what was
// in the middle of its way is gone once it is old.
func TestAudioSurvivesKill(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	join(t, im, "elsewhere", "eve")
	data := recording(3<<20 + 17)
	up, err := uploadAudio(t, im, of("alice", data), data)
	if err != nil || up.GetStatus() == nil || up.GetStatus().GetCode() != 0 || up.GetAudioUrl() != "http://"+n.HTTP+"/audio/"+up.GetAudioId() {
		t.Fatalf("got %v, %v", up, err)
	}
	if _, err := beginUpload(t, im, of("bob", data), data[:1<<20]); err != nil {
		t.Fatal(err)
	}
	n.AwaitMetric(float64(len(data)+1<<20), "hermod_audio_upload_bytes_total")
	n.Kill()
	if files := n.Blobs(); len(files) != 2 {
		t.Errorf("after the kill: %v", files)
	}
	n.ageBlobs(2 * time.Hour)
	n.Boot()
	eventually(t, "what was cut is swept", func() bool { return slices.Equal(n.Blobs(), []string{up.GetAudioId()}) })
	if status, body := fetchAudio(t, up.GetAudioUrl(), "bob"); status != http.StatusOK || !bytes.Equal(body, data) {
		t.Errorf("status %d, %d bytes of %d", status, len(body), len(data))
	}
	if status, body := fetchAudio(t, up.GetAudioUrl(), "alice", "Range", "bytes=1000000-1999999"); status != http.StatusPartialContent || !bytes.Equal(body, data[1000000:2000000]) {
		t.Errorf("a range: status %d, %d bytes", status, len(body))
	}
	for user, want := range map[string]int{"eve": http.StatusForbidden, "": http.StatusUnauthorized} {
		if status, body := fetchAudio(t, up.GetAudioUrl(), user); status != want {
			t.Errorf("%q: status %d, %d bytes", user, status, len(body))
		}
	}
}

// rows counts what a table has, of a node that does not run.
func (n *Node) rows(table string) (count int) {
	n.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.dataDir(n.t), "hermod.db")+"?mode=ro")
	if err != nil {
		n.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(within(n.t), "SELECT count(*) FROM "+table).Scan(&count); err != nil {
		n.t.Fatal(err)
	}
	return count
}

// TestBrokenUploadsLeaveNoTrace: ten that are cut in the middle, and all that can be wrong with one,
// leave neither a file nor a row, in a room where a whole one gets a transcript.
func TestBrokenUploadsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	n := Start(t, "audio: {max_bytes: 1MiB, max_uploads: 10, max_uploads_per_user: 10}\nroom: {defaults: {auto_transcribe: true}}\n")
	im := n.Calls()
	join(t, im, "room", "alice")
	data := recording(1 << 20)
	for range 10 {
		conn := Dial(t, n.IM)
		if _, err := beginUpload(t, imv1.NewIMServiceClient(conn), of("alice", data), data[:512<<10]); err != nil {
			t.Fatal(err)
		}
		n.AwaitMetric(1, "hermod_audio_uploads_running")
		conn.Close()
	}
	n.AwaitMetric(10, "hermod_audio_uploads_total", `outcome="broken"`)

	with := func(change func(*imv1.AudioMetadata)) *imv1.AudioMetadata {
		m := of("alice", data)
		change(m)
		return m
	}
	for name, test := range map[string]struct {
		m      *imv1.AudioMetadata
		data   []byte
		code   codes.Code
		reason string
	}{
		"too large":      {with(func(m *imv1.AudioMetadata) { m.Size++ }), data, codes.InvalidArgument, "AUDIO_TOO_LARGE"},
		"short":          {of("alice", data), data[1:], codes.InvalidArgument, "AUDIO_SIZE"},
		"long":           {of("alice", data[1:]), data, codes.InvalidArgument, "AUDIO_SIZE"},
		"empty":          {of("alice", nil), nil, codes.InvalidArgument, "AUDIO_SIZE"},
		"another format": {with(func(m *imv1.AudioMetadata) { m.Format = "exe" }), data, codes.InvalidArgument, "AUDIO_FORMAT"},
		"not a member":   {of("eve", data), data, codes.PermissionDenied, "NOT_A_MEMBER"},
		"nowhere":        {with(func(m *imv1.AudioMetadata) { m.RoomId = "nowhere" }), data, codes.NotFound, "ROOM_NOT_FOUND"},
	} {
		_, err := uploadAudio(t, im, test.m, test.data)
		refused(t, name, err, test.code, test.reason)
	}
	if files := n.Blobs(); len(files) > 0 {
		t.Errorf("files %v", files)
	}
	if running := n.Metric("hermod_audio_uploads_running"); running != 0 {
		t.Errorf("%g uploads run", running)
	}
	n.Stop()
	if audios, transcripts := n.rows("audios"), n.rows("transcripts"); audios+transcripts > 0 {
		t.Errorf("%d rows of audios, %d of transcripts", audios, transcripts)
	}
	n.Boot()
	up, err := uploadAudio(t, n.Calls(), of("alice", data), data)
	if err != nil || len(n.Blobs()) != 1 {
		t.Errorf("a good one: %v, %v, files %v", up, err, n.Blobs())
	}
	n.Stop()
	if audios, transcripts := n.rows("audios"), n.rows("transcripts"); audios != 1 || transcripts != 1 {
		t.Errorf("of a good one: %d rows of audios, %d of transcripts", audios, transcripts)
	}
}

func TestRoomWithoutAudio(t *testing.T) {
	t.Parallel()
	n := Start(t, "room: {defaults: {allow_audio: false}}\n")
	im := n.Calls()
	join(t, im, "room", "alice")
	_, err := uploadAudio(t, im, of("alice", []byte("x")), []byte("x"))
	refused(t, "upload", err, codes.PermissionDenied, "AUDIO_NOT_ALLOWED")
	if files := n.Blobs(); len(files) > 0 {
		t.Errorf("files %v", files)
	}
}

// TestUploadsAtOnce: twenty at a time where five may; the others are told, and can come later.
func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	n := Start(t, "audio: {max_uploads: 5, max_uploads_per_user: 2}\n")
	im := n.Calls()
	data := recording(100_000)
	users := make([]string, 20)
	streams := make([]imv1.IMService_UploadAudioClient, len(users))
	for i := range users {
		users[i] = fmt.Sprint("user ", i)
		join(t, im, "room", users[i])
	}
	for i, user := range users {
		stream, err := beginUpload(t, im, of(user, data), data[:50_000])
		if err != nil {
			t.Fatal(err)
		}
		streams[i] = stream
	}
	n.AwaitMetric(15, "hermod_audio_uploads_total", `outcome="refused"`)
	stored := 0
	for i, stream := range streams {
		// One that was refused does not take it, which its answer explains.
		_ = stream.Send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Chunk{Chunk: data[50_000:]}})
		_, err := stream.CloseAndRecv()
		if err == nil {
			stored++
			continue
		}
		refused(t, "one too many", err, codes.ResourceExhausted, "TOO_MANY_UPLOADS")
		if _, err := uploadAudio(t, im, of(users[i], data), data); err != nil && reasonOf(err) != "TOO_MANY_UPLOADS" {
			t.Errorf("later: %v", err)
		}
	}
	if stored != 5 {
		t.Errorf("%d stored, want 5", stored)
	}
	var wg sync.WaitGroup
	for range 2 { // a user's own limit is for him alone
		wg.Go(func() {
			if _, err := uploadAudio(t, im, of("user 1", data), data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestStopDoesNotWaitForUploads: one that is on its way when the node stops is cut, and told so.
func TestStopDoesNotWaitForUploads(t *testing.T) {
	t.Parallel()
	n := Start(t, "server: {stop: {drain: 0s}}\n")
	im := n.Calls()
	join(t, im, "room", "alice")
	data := recording(100_000)
	stream, err := beginUpload(t, im, of("alice", data), data[:50_000])
	if err != nil {
		t.Fatal(err)
	}
	n.AwaitMetric(50_000, "hermod_audio_upload_bytes_total")
	n.Stop()
	refused(t, "the upload", stream.RecvMsg(&imv1.UploadAudioResponse{}), codes.Unavailable, "NOT_SERVING")
	if files := n.Blobs(); len(files) > 0 {
		t.Errorf("files %v", files)
	}
}
