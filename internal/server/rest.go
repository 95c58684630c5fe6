package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/service"
)

// PushAPI is what business services call.
type PushAPI struct {
	Gateway  *service.Gateway
	Sessions *service.Sessions
	Webhooks *service.Webhooks
}

// REST serves the push API as JSON over HTTP. Its routes are the HTTP rules of the .proto files, read
// from the descriptors that are linked in: generated handlers would bring an HTTP framework to everybody
// who imports the API, and know no streams. Calls go straight to the services.
type REST struct {
	routes   []restRoute
	services httpServices
	limit    int64                                                                             // bytes of a request
	around   func(r *http.Request, path string, reply http.Header) grpc.UnaryServerInterceptor // nil: nothing
	log      *slog.Logger
}

// restRoute is a path and what it does by method.
type restRoute struct {
	path    string // a pattern of http.ServeMux
	name    string // in metrics
	methods map[string]*restMethod
}

// restMethod is one RPC.
type restMethod struct {
	body   bool // the request is the body; otherwise it is path and query
	params []string
	unary  func(ctx context.Context, fill func(any) error, around grpc.UnaryServerInterceptor) (any, error) // nil: it is a stream
	stream func(ss grpc.ServerStream) error
}

// NewREST returns the REST of the push API.
func NewREST(c *conf.Config, api PushAPI, by Callers, log *slog.Logger) (*REST, error) {
	// JSON takes more room than protobuf: a third more for data, and twice as much for names.
	s := &REST{services: newHTTPServices(c, by.Services), limit: 2 * maxPushRequest(c), around: by.Around.rest(), log: log}
	for desc, srv := range map[*grpc.ServiceDesc]any{
		&gatewayv1.GatewayService_ServiceDesc: api.Gateway,
		&gatewayv1.SessionService_ServiceDesc: api.Sessions,
		&gatewayv1.WebhookService_ServiceDesc: api.Webhooks,
	} {
		if err := s.add(desc, srv); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.routes, func(a, b restRoute) int { return cmp.Compare(a.path, b.path) })
	return s, nil
}

// add adds the methods of a service that have an HTTP rule.
func (s *REST) add(desc *grpc.ServiceDesc, srv any) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		return err
	}
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	for _, m := range desc.Methods {
		err = s.addMethod(methods.ByName(protoreflect.Name(m.MethodName)), &restMethod{
			unary: func(ctx context.Context, fill func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
				return m.Handler(srv, ctx, fill, around)
			},
		})
		if err != nil {
			return err
		}
	}
	for _, m := range desc.Streams {
		err = s.addMethod(methods.ByName(protoreflect.Name(m.StreamName)), &restMethod{
			stream: func(ss grpc.ServerStream) error { return m.Handler(srv, ss) },
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *REST) addMethod(desc protoreflect.MethodDescriptor, m *restMethod) error {
	rule, _ := proto.GetExtension(desc.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil // for gRPC alone
	}
	verb, path := verbOf(rule)
	for part := range strings.SplitSeq(path, "/") {
		if name, variable := strings.CutPrefix(part, "{"); variable {
			m.params = append(m.params, strings.TrimSuffix(name, "}"))
		}
	}
	m.body = rule.GetBody() == "*"
	switch {
	case verb == "" || strings.ContainsAny(path, "=*:"):
		return fmt.Errorf("rest: %s has a rule of a form that is not served here", desc.FullName())
	case rule.GetBody() != "" && !m.body, m.body && len(m.params) > 0, desc.IsStreamingClient():
		return fmt.Errorf("rest: %s has a body of a form that is not served here", desc.FullName())
	}
	for _, r := range s.routes {
		if r.path == path {
			r.methods[verb] = m
			return nil
		}
	}
	s.routes = append(s.routes, restRoute{path: path, name: path, methods: map[string]*restMethod{verb: m}})
	return nil
}

func verbOf(rule *annotations.HttpRule) (verb, path string) {
	switch {
	case rule.GetGet() != "":
		return http.MethodGet, rule.GetGet()
	case rule.GetPost() != "":
		return http.MethodPost, rule.GetPost()
	case rule.GetDelete() != "":
		return http.MethodDelete, rule.GetDelete()
	case rule.GetPut() != "":
		return http.MethodPut, rule.GetPut()
	case rule.GetPatch() != "":
		return http.MethodPatch, rule.GetPatch()
	}
	return "", ""
}

// register adds everything to the pages of a listener.
func (s *REST) register(routes *httpRoutes) {
	for _, r := range s.routes {
		routes.handle(r.path, r.name, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, r) }))
	}
	routes.handle("/v1/", "none", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuseHTTP(w, r, s.log, biz.Errorf(biz.KindNotFound, "NO_SUCH_PAGE", "there is no such page"))
	}))
}

func (s *REST) serve(w http.ResponseWriter, r *http.Request, route restRoute) {
	m := route.methods[r.Method]
	if m == nil {
		allowed := make([]string, 0, len(route.methods))
		for verb := range route.methods {
			allowed = append(allowed, verb)
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		answerHTTP(w, r, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "only "+strings.Join(allowed, " and ")+" is allowed here")
		return
	}
	id, err := s.services.check(r)
	if err != nil {
		refuseHTTP(w, r, s.log, err)
		return
	}
	fill, refused := s.request(w, r, m)
	if refused != nil {
		answerHTTP(w, r, refused.code, refused.reason, refused.text)
		return
	}
	ctx := metadata.NewIncomingContext(biz.WithIdentity(r.Context(), id), optionsOf(r))
	if m.stream != nil {
		s.serveStream(w, r.WithContext(ctx), m, fill)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	var around grpc.UnaryServerInterceptor
	if s.around != nil {
		around = s.around(r, route.path, w.Header())
	}
	reply, err := m.unary(ctx, fill, around)
	if err != nil {
		refuseREST(w, r, s.log, err)
		return
	}
	text, err := restJSON.Marshal(reply.(proto.Message))
	if err != nil {
		refuseHTTP(w, r, s.log, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	patience := http.NewResponseController(w)
	_ = patience.SetWriteDeadline(time.Now().Add(httpStall)) // a connection that has none serves as well
	_, _ = w.Write(append(text, '\n'))                       // a client that has gone does not read it
}

// restJSON writes every field, so that a reader need not know which are left out when they are zero.
var restJSON = protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}

// httpServices tells which requests are of business services.
type httpServices struct {
	guard *auth.ServiceGuard
	dev   bool // the guard believes everybody, who may be on this machine only
	certs bool // the listener asks for certificates of services, and not for those of monitors alone
}

func newHTTPServices(c *conf.Config, guard *auth.ServiceGuard) httpServices {
	ops, gateway := c.GetServer().GetOps().GetTls().GetClientCaFile(), c.GetServer().GetGateway().GetTls().GetClientCaFile()
	return httpServices{guard: guard, dev: c.GetAuth().GetMode() == conf.ModeDev, certs: ops != "" && ops == gateway}
}

// check returns which service asks. Errors are those of auth.ServiceGuard. Other than that of gRPC, the
// listener may be open to other machines in mode dev, for the sake of monitors.
func (s httpServices) check(r *http.Request) (biz.Identity, error) {
	if s.dev && !fromLoopback(r) {
		return biz.Identity{}, biz.Errorf(biz.KindPermissionDenied, "PERMISSION_DENIED", "with auth.mode dev this is for the node's own machine")
	}
	return s.guard.Check(r.Context(), auth.Proof{
		Authorization: r.Header.Get("Authorization"),
		Certified:     s.certs && r.TLS != nil && len(r.TLS.VerifiedChains) > 0,
	})
}

func fromLoopback(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// optionsOf takes from the headers what gRPC has in its metadata.
func optionsOf(r *http.Request) metadata.MD {
	md := metadata.MD{}
	for _, key := range service.OptionKeys() {
		if values := r.Header.Values(key); len(values) > 0 {
			md.Set(key, values...)
		}
	}
	return md
}
