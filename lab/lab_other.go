//go:build !linux

package lab

import (
	"context"
	"errors"
	"fmt"

	"weir/vpc"
)

// Lab exists on Linux only.
type Lab struct{}

var errLinux = fmt.Errorf("the lab is made of network namespaces, which only Linux has: %w", errors.ErrUnsupported)

// Up is [errors.ErrUnsupported] here.
func Up(context.Context, Config) (*Lab, error) { return nil, errLinux }

// Clean is [errors.ErrUnsupported] here.
func Clean(string) error { return errLinux }

// Topology is empty here.
func (l *Lab) Topology() *vpc.Topology { return &vpc.Topology{} }

// Mistakes is empty here.
func (l *Lab) Mistakes() []Mistake { return nil }

// Traffic is [errors.ErrUnsupported] here.
func (l *Lab) Traffic(context.Context) error { return errLinux }

// Close does nothing here.
func (l *Lab) Close() error { return nil }

// Results is empty here.
func (l *Lab) Results() []TaskResult { return nil }
