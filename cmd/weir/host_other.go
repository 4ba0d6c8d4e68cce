//go:build !linux

package main

import "github.com/spf13/cobra"

// hostCommands are those that need the Linux kernel: none here, where flow logs
// can be asked but not made.
func hostCommands(*app) []*cobra.Command { return nil }
