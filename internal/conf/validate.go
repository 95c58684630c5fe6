package conf

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Validate tells what is wrong with a configuration, as Problems, or returns nil. Load has done it
// already. It reads the key files that the configuration names.
func Validate(c *Config) error { return inspect(c).err() }

func inspect(c *Config) Problems {
	var ps Problems
	checkLimits(c.ProtoReflect(), "", &ps)
	checkServer(c, &ps)
	checkData(c.GetData(), &ps)
	checkAuth(c.GetAuth(), c.GetServer().GetGateway().GetTls().GetClientCaFile() != "", &ps)
	checkAudio(c.GetAudio(), &ps)
	checkTranscription(c.GetAudio(), &ps)
	checkRegistry(c.GetRegistry(), c.GetAuth().GetMode(), &ps)
	checkCluster(c, &ps)
	checkUpstream(c.GetUpstream(), c.GetRegistry().GetType(), &ps)
	checkPlugins(c.GetPlugins(), c.GetRegistry().GetType(), &ps)
	checkWebhooks(c.GetWebhooks(), &ps)
	return ps
}

// checkLimits holds every scalar against its limit.
func checkLimits(m protoreflect.Message, path string, ps *Problems) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := join(path, string(fd.Name()))
		switch shapeOf(fd) {
		case shapeSection:
			checkLimits(m.Get(fd).Message(), at, ps)
		case shapeList:
			list := m.Get(fd).List()
			for i := range list.Len() {
				checkLimits(list.Get(i).Message(), indexed(at, i), ps)
			}
		case shapeWords:
			// What a word may be is said beside its section.
		default:
			if wrong := checkLimit(fd, m.Get(fd)); wrong != "" {
				ps.add(at, "%s", wrong)
			}
		}
	}
}

func checkLimit(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	l, ok := limits[string(fd.FullName())]
	switch s := shapeOf(fd); {
	case !ok:
		return ""
	case s == shapeText:
		return l.checkWord(v.String())
	case s == shapeDuration:
		return l.check(int64(duration(v)))
	case s == shapeShare:
		return l.checkShare(v.Float())
	}
	return l.check(v.Int())
}

func duration(v protoreflect.Value) time.Duration {
	d, ok := v.Message().Interface().(*durationpb.Duration)
	if !ok {
		return 0
	}
	return d.AsDuration()
}

func checkServer(c *Config, ps *Problems) {
	s := c.GetServer()
	checkListeners([]listener{
		{"server.im.addr", s.GetIm().GetAddr(), true},
		{"server.gateway.addr", s.GetGateway().GetAddr(), true},
		{"server.http.addr", s.GetHttp().GetAddr(), true},
		{"server.ops.addr", s.GetOps().GetAddr(), false},
	}, c.GetAuth().GetMode(), ps)
	checkListenerTLS("server.im.tls", s.GetIm().GetTls(), ps)
	checkListenerTLS("server.gateway.tls", s.GetGateway().GetTls(), ps)
	checkListenerTLS("server.http.tls", s.GetHttp().GetTls(), ps)
	checkListenerTLS("server.ops.tls", s.GetOps().GetTls(), ps)
	checkQuic(s.GetQuic(), c.GetAuth().GetMode(), ps)
	checkPublicURL(s.GetHttp().GetPublicUrl(), ps)
	checkOrigins(s.GetHttp().GetAllowedOrigins(), ps)
	stop := s.GetStop()
	what, needed := "notice and drain", stop.GetNotice().AsDuration()+stop.GetDrain().AsDuration()
	if c.GetRegistry().GetType() != RegistryNone {
		what, needed = "leaving the registry ("+formatDuration(RegistryLeave)+"), notice and drain", needed+RegistryLeave
	}
	if timeout := stop.GetTimeout().AsDuration(); timeout <= needed {
		ps.add("server.stop.timeout", "%s is too short; %s take %s, and it must be longer",
			formatDuration(timeout), what, formatDuration(needed))
	}
}

// checkQuic knows no plain text: QUIC has none. A node in mode dev makes a certificate for itself.
func checkQuic(q *Server_Quic, mode string, ps *Problems) {
	checkListenerTLS("server.quic.tls", q.GetTls(), ps)
	if q.GetAddr() == "" {
		return
	}
	checkListeners([]listener{{"server.quic.addr", q.GetAddr(), true}}, mode, ps)
	if mode != ModeDev && !q.GetTls().Enabled() && q.GetTls().GetKeyFile() == "" {
		ps.add("server.quic.tls.cert_file", "is empty; QUIC needs a certificate, which a node makes for itself in auth.mode dev only")
	}
}

func checkData(d *Data, ps *Problems) {
	if d.GetDir() == "" {
		ps.add("data.dir", "is empty; name a directory")
	}
	checkDatabase(d.GetDatabase(), ps)
	checkBlobs(d.GetBlobs(), ps)
	if l := d.GetLog(); l.GetQueueMessages() < l.GetBatchRows() {
		ps.add("data.log.queue_messages", "%d is too small; at least data.log.batch_rows, which is %d", l.GetQueueMessages(), l.GetBatchRows())
	}
}
