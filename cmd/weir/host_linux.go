package main

import "github.com/spf13/cobra"

// hostCommands are those that need the Linux kernel.
func hostCommands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newUp(a),
		newLab(a),
		newLabAgent(a),
		newCheck(a),
		newPolicy(a),
	}
}
