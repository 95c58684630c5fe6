package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/game-im/hermod/internal/conf"
)

// ErrMissing is what Renew says when the registry works and does not have the instance as it should.
var ErrMissing = errors.New("the registry does not have the instance")

// Registrar is a registry, as a node uses it. Methods honour ctx, may be called for several instances
// at once, and for one instance one after another.
type Registrar interface {
	// Register makes an instance known, in place of an earlier one with its id.
	Register(ctx context.Context, i Instance) error
	// Renew keeps an instance known that was registered, or returns ErrMissing. It is called at least
	// three times in a ttl.
	Renew(ctx context.Context, i Instance) error
	// Listed tells whether the registry has an instance, and changes nothing.
	Listed(ctx context.Context, i Instance) (bool, error)
	// Deregister makes an instance unknown. That it was unknown is no error.
	Deregister(ctx context.Context, i Instance) error
	// Close ends the connection, after everything was deregistered that could be.
	Close() error
}

// Open returns the registry that the configuration names. It connects when it is first used, so that
// a registry that is down is no error. What it writes is in dir.
func Open(c *conf.Registry, dir string) (Registrar, error) {
	switch c.GetType() {
	case conf.RegistryNone:
		return nowhere{}, nil
	case conf.RegistryNacos:
		return newNacos(c, dir)
	case conf.RegistryEtcd:
		return newEtcd(c)
	case conf.RegistryConsul:
		return newConsul(c)
	}
	return nil, fmt.Errorf("registry.type %q is not known", c.GetType())
}

// nowhere is the registry of a node that is not to be found.
type nowhere struct{}

func (nowhere) Register(context.Context, Instance) error       { return nil }
func (nowhere) Renew(context.Context, Instance) error          { return nil }
func (nowhere) Listed(context.Context, Instance) (bool, error) { return false, nil }
func (nowhere) Deregister(context.Context, Instance) error     { return nil }
func (nowhere) Close() error                                   { return nil }
