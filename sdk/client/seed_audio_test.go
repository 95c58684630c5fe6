package client_test

import (
	"bytes"
	"fmt"
	"io"
	"io/ioutil" //nolint:staticcheck // as the document has it
	"os"
	"path/filepath"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

func sendAudio(client *client.Client) {
	// 3. 音频消息（先上传音频）
	audioData, _ := ioutil.ReadFile("audio.opus") //nolint:govet // as the document has it
	audioResp, err := client.UploadAudio("room123", audioData, "opus", 30.5)
	if err == nil {
		audioMsg := &imv1.MessageRequest{
			MessageId: generateMessageID(),
			UserId:    "user123",
			RoomId:    "room123",
			Type:      imv1.MessageType_MESSAGE_TYPE_AUDIO,
			Content:   []byte(fmt.Sprintf(`{"audio_id":"%s","duration":30.5}`, audioResp.AudioId)), //nolint:gocritic // as the document has it
		}
		client.SendMessage(audioMsg)
	}
}

// 对于大文件上传，使用流式处理
func uploadLargeAudio(client *client.Client, filePath string) error {
	file, err := os.Open(filePath)
	if err != nil {
		return err
	}
	defer file.Close()

	// 分块读取和上传
	buffer := make([]byte, 32*1024) // 32KB chunks
	var audioData []byte

	for {
		n, err := file.Read(buffer)
		audioData = append(audioData, buffer[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}

	_, err = client.UploadAudio("room123", audioData, "opus", 0)
	return err
}

// What is uploaded is known by its id to those who hear of it, also if it is too large for one
// frame. UploadAudioFile does it without holding the file in memory.
func TestSeedUploads(t *testing.T) {
	t.Chdir(t.TempDir())
	opus := append([]byte("OggS"), bytes.Repeat([]byte{0, 1, 2, 3}, 50<<10)...)
	if err := os.WriteFile("audio.opus", opus, 0o600); err != nil {
		t.Fatal(err)
	}
	host := connect(t, "host", "room123")
	user := connect(t, "user123", "room123")
	if err := uploadLargeAudio(user.Client, "audio.opus"); err != nil {
		t.Fatalf("uploadLargeAudio: %v", err)
	}
	sendAudio(user.Client)
	for {
		m := receive(t, host.heard)
		if m.GetType() != imv1.MessageType_MESSAGE_TYPE_AUDIO {
			continue
		}
		var id string
		if _, err := fmt.Sscanf(string(m.GetContent()), `{"audio_id":%q,"duration":30.5}`, &id); err != nil || id == "" {
			t.Errorf("the message says %s", m.GetContent())
		}
		break
	}
	var sent int64
	resp, err := user.UploadAudioFile(t.Context(), filepath.Join(".", "audio.opus"), client.UploadOptions{
		RoomID: "room123", Progress: func(n, _ int64) { sent = n },
	})
	if err != nil || resp.GetAudioId() == "" || sent != int64(len(opus)) {
		t.Errorf("UploadAudioFile: %v, %v, %d of %d bytes", resp, err, sent, len(opus))
	}
}
