package registry

import (
	"context"
	"fmt"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// ErrMissing is what Renew says when the registry works and does not have the instance as it should.
var ErrMissing = plugin.ErrMissing

// Registrar is a registry, as a node uses it.
type Registrar = plugin.RegistryConn

// Open returns the registry that the configuration names, of those that are shipped. It connects when it is first used, so that
// a registry that is down is no error. What it writes is in dir.
func Open(c *conf.Registry, dir string) (Registrar, error) {
	switch c.GetType() {
	case conf.RegistryNone:
		return Nowhere{}, nil
	case conf.RegistryNacos:
		return newNacos(c, dir)
	case conf.RegistryEtcd:
		return newEtcd(c)
	case conf.RegistryConsul:
		return newConsul(c)
	}
	return nil, fmt.Errorf("registry.type %q is none of those that are shipped", c.GetType())
}

// Nowhere is the registry of a node that is not to be found.
type Nowhere struct{}

// Register does nothing.
func (Nowhere) Register(context.Context, Instance) error { return nil }

// Renew does nothing.
func (Nowhere) Renew(context.Context, Instance) error { return nil }

// Listed is false.
func (Nowhere) Listed(context.Context, Instance) (bool, error) { return false, nil }

// Deregister does nothing.
func (Nowhere) Deregister(context.Context, Instance) error { return nil }

// Close does nothing.
func (Nowhere) Close() error { return nil }
