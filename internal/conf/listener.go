package conf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// listener is an address to check.
type listener struct {
	path, addr string
	identifies bool // callers say who they are, and dev would believe them
}

func checkListeners(ls []listener, mode string, ps *Problems) {
	first := map[string]string{}
	for _, l := range ls {
		host, port, err := splitAddr(l.addr)
		if err != nil {
			ps.add(l.path, "%q is not an address: %v", l.addr, err)
			continue
		}
		if mode == ModeDev && l.identifies && !isLoopback(host) {
			ps.add(l.path, "%q can be reached from other machines, and auth.mode dev believes every caller; "+
				"listen on 127.0.0.1, or set auth.mode to jwt (tokens) or trusted (private networks)", l.addr)
		}
		if other, taken := first[l.addr]; taken && port != 0 {
			ps.add(l.path, "%q is taken by %s already", l.addr, other)
		}
		first[l.addr] = l.path
	}
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, errors.New("write host:port, and an IPv6 host in brackets")
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("the port is %q; 0 to 65535 is allowed", text)
	}
	if !isHost(host) {
		return "", 0, fmt.Errorf("the host is %q; write an IP address, a name, or nothing for every interface", host)
	}
	return host, port, nil
}

func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return !strings.Contains(host, "..") && host[0] != '.' && host[0] != '-' &&
		strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}

// checkPublicURL wants what a path can be added to.
func checkPublicURL(text string, ps *Problems) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		ps.add("server.http.public_url", "%q is not an http or https address", ShownURL(text))
	} else if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		ps.add("server.http.public_url", "has a user, a query or a fragment; write scheme, host and perhaps a path")
	}
}

// checkOrigins wants what browsers call a page by, or a star for all.
func checkOrigins(origins []string, ps *Problems) {
	for i, text := range origins {
		at := indexed("server.http.allowed_origins", i)
		u, err := url.Parse(strings.Replace(text, "://*.", "://", 1))
		switch {
		case text == "*":
		case err != nil || u.Host == "" || u.Scheme == "" || strings.Contains(u.Host, "*"):
			ps.add(at, "%q is no origin; write scheme://host, scheme://host:port, scheme://*.host for all below it, or * for every page", text)
		case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			ps.add(at, "%q is more than an origin, which ends with the host or its port", text)
		}
	}
}

// isLoopback tells whether a host can be reached from this machine alone.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
