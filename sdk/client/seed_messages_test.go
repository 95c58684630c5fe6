package client_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// handlers note which of the document's handlers was called, with what.
type handlers chan string

func (h handlers) note(handler string) func(*imv1.MessageResponse) {
	return func(m *imv1.MessageResponse) { h <- handler + " " + m.GetFromUserId() + " " + string(m.GetContent()) }
}

func messageTypes(config *client.Config, h handlers, sendAck func(messageID string)) {
	handleTextMessage, handleAudioMessage, handleRichTextMessage := h.note("text"), h.note("audio"), h.note("rich")
	handleSystemMessage, handleUserJoin, handleUserLeave := h.note("system"), h.note("join"), h.note("leave")

	config.OnMessage = func(msg *imv1.MessageResponse) {
		switch msg.Type {
		case imv1.MessageType_MESSAGE_TYPE_TEXT:
			handleTextMessage(msg)

		case imv1.MessageType_MESSAGE_TYPE_AUDIO:
			handleAudioMessage(msg)

		case imv1.MessageType_MESSAGE_TYPE_RICH_TEXT:
			handleRichTextMessage(msg)

		case imv1.MessageType_MESSAGE_TYPE_SYSTEM:
			handleSystemMessage(msg)

		case imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM:
			handleUserJoin(msg)

		case imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM:
			handleUserLeave(msg)

		default:
			log.Printf("未知消息类型: %v", msg.Type)
		}

		// 处理需要确认的消息
		if msg.AckRequired {
			sendAck(msg.MessageId)
		}
	}
}

func sendDifferentTypes(client *client.Client, generateMessageID func() string) {
	// 1. 文本消息
	client.SendTextMessage("room123", "Hello World!")

	// 2. 自定义消息
	customMsg := &imv1.MessageRequest{
		MessageId: generateMessageID(),
		UserId:    "user123",
		RoomId:    "room123",
		Type:      imv1.MessageType_MESSAGE_TYPE_RICH_TEXT,
		Content:   []byte(`{"type":"markdown","content":"**Bold Text**"}`),
		Metadata: map[string]string{
			"format": "markdown",
		},
	}
	client.SendMessage(customMsg)
}

func generateMessageID() string { return fmt.Sprintf("user123_%d", time.Now().UnixNano()) }

// Each type reaches its handler, in order and with its content byte for byte, whatever that is.
func TestSeedMessageTypes(t *testing.T) {
	host := connect(t, "user123", "room123")
	h := make(handlers, 64)
	config := &client.Config{UserID: "listener-" + generateMessageID(), DefaultRoomID: "room123"} // who has heard nothing of it yet
	var listener *client.Client
	messageTypes(config, h, func(messageID string) { // by hand, although the client does so itself
		_ = listener.SendMessage(&imv1.MessageRequest{
			Type: imv1.MessageType_MESSAGE_TYPE_ACK, Content: []byte(`{"original_message_id":"` + messageID + `"}`),
		})
	})
	listener, err := client.NewClientWithGRPCAndConfig(newImServiceClient(dial(t, client.StartNode(t))), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Connect(); err != nil {
		t.Fatal(err)
	}
	defer listener.Disconnect()
	guest := "guest-" + generateMessageID()
	member(t, guest, "room123")
	sendDifferentTypes(host.Client, generateMessageID)
	_ = host.SendMessage(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, Content: []byte(`{"audio_id":"1","duration":30.5}`)})
	if _, err := host.LeaveRoom("room123"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"join " + guest + " ",
		"text user123 Hello World!",
		`rich user123 {"type":"markdown","content":"**Bold Text**"}`,
		`audio user123 {"audio_id":"1","duration":30.5}`,
		"leave user123 ",
	} {
		got := receive(t, h)
		if strings.HasPrefix(got, "system user123 ") { // that the last admin has an heir
			got = receive(t, h)
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func rooms(client *client.Client) {
	// 加入房间
	joinResp, err := client.JoinRoom("room123", map[string]string{
		"nickname": "张三",
		"role":     "user",
	})
	if err != nil {
		log.Printf("加入房间失败: %v", err)
	} else {
		log.Printf("加入房间成功，当前用户数: %d", joinResp.RoomInfo.UserCount)
	}

	// 获取房间信息
	roomInfo, err := client.GetRoomInfo("room123")
	if err != nil {
		log.Printf("获取房间信息失败: %v", err)
	} else {
		log.Printf("房间用户数: %d", roomInfo.RoomInfo.UserCount)
		for _, user := range roomInfo.Users {
			log.Printf("用户: %s, 角色: %v", user.UserId, user.Role)
		}
	}

	// 离开房间
	_, err = client.LeaveRoom("room123")
	if err != nil {
		log.Printf("离开房间失败: %v", err)
	}
}

func TestSeedRooms(t *testing.T) {
	connect(t, "witness", "room123")
	visitor := connect(t, "visitor", "elsewhere")
	rooms(visitor.Client)
	log.await("加入房间成功，当前用户数: ")
	log.await("房间用户数: ")
	log.await("用户: visitor, 角色: USER_ROLE_USER")
	if err := visitor.SendTextMessage("room123", "am I out?"); client.Reason(err) != "NOT_A_MEMBER" {
		t.Errorf("after leaving: %v", err)
	}
}

func batchSending(client *client.Client) {
	// 批量发送消息时，控制发送频率
	messages := []string{"msg1", "msg2", "msg3"}
	for i, msg := range messages {
		client.SendTextMessage("room123", msg)

		// 避免发送过快
		if i < len(messages)-1 {
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func TestSeedBatchSending(t *testing.T) {
	host := connect(t, "host", "room123")
	sender := connect(t, "sender", "room123")
	batchSending(sender.Client)
	for _, want := range []string{"msg1", "msg2", "msg3"} {
		host.await(want)
	}
}

func messageValidation(config *client.Config, isValidUser func(string) bool, maxMessageSize int, handleMessage func(*imv1.MessageResponse)) {
	config.OnMessage = func(msg *imv1.MessageResponse) {
		// 验证消息来源
		if !isValidUser(msg.FromUserId) {
			log.Printf("无效用户消息: %s", msg.FromUserId)
			return
		}

		// 验证消息内容
		if len(msg.Content) > maxMessageSize {
			log.Printf("消息过长: %d bytes", len(msg.Content))
			return
		}

		// 处理消息
		handleMessage(msg)
	}
}

// 添加指标收集
var (
	messagesSent     int64
	messagesReceived int64
	connectionErrors int64
)

func metrics(config *client.Config, handleMessage func(*imv1.MessageResponse), handleError func(error)) {
	config.OnMessage = func(msg *imv1.MessageResponse) {
		atomic.AddInt64(&messagesReceived, 1)
		handleMessage(msg)
	}

	config.OnError = func(err error) {
		atomic.AddInt64(&connectionErrors, 1)
		handleError(err)
	}
}

func TestSeedValidationAndMetrics(t *testing.T) {
	for name, set := range map[string]func(*client.Config, func(*imv1.MessageResponse)){
		"validation": func(config *client.Config, handle func(*imv1.MessageResponse)) {
			messageValidation(config, func(user string) bool { return user == "host" }, 10, handle)
		},
		"metrics": func(config *client.Config, handle func(*imv1.MessageResponse)) {
			metrics(config, handle, func(err error) { t.Error(err) })
		},
	} {
		room := "checked-" + name
		host, stranger := connect(t, "host", room), connect(t, "stranger", room)
		heard := make(chan string, 64)
		config := &client.Config{UserID: "reader", DefaultRoomID: room}
		set(config, func(m *imv1.MessageResponse) {
			if m.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
				heard <- string(m.GetContent())
			}
		})
		reader, err := client.NewClientWithGRPCAndConfig(newImServiceClient(dial(t, client.StartNode(t))), config)
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Connect(); err != nil {
			t.Fatal(err)
		}
		stranger.say("bad")
		host.say("far too long")
		host.say("good")
		if name == "metrics" {
			receive(t, heard)
			receive(t, heard)
		}
		if got := receive(t, heard); got != "good" {
			t.Errorf("%s: got %q", name, got)
		}
		reader.Disconnect()
	}
	log.await("无效用户消息: stranger")
	log.await("消息过长: 12 bytes")
	atomic.AddInt64(&messagesSent, 3)
	if atomic.LoadInt64(&messagesReceived) < atomic.LoadInt64(&messagesSent) || atomic.LoadInt64(&connectionErrors) != 0 {
		t.Errorf("%d received, %d errors", messagesReceived, connectionErrors)
	}
}
