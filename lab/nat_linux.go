package lab

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"weir/netns"
)

func (l *Lab) translate(ctx context.Context) error {
	if err := load(ctx, l.Router(), l.plan.gatewayRuleset(l.config.Prefix)); err != nil {
		return err
	}
	return load(ctx, l.Namespace(natPlace), l.plan.natRuleset(l.config.Prefix))
}

// load applies a script, all of it or nothing.
func load(ctx context.Context, ns *netns.Namespace, script string) error {
	path, err := exec.LookPath("nft")
	if err != nil { // a path without the administrator's directories is usual on Debian
		path, err = exec.LookPath("/usr/sbin/nft")
	}
	if err != nil {
		return fmt.Errorf("translate addresses: %w: install it with \"apt-get install nftables\"", err)
	}
	cmd := exec.CommandContext(ctx, path, "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if err := ns.Run(cmd); err != nil {
		return fmt.Errorf("translate addresses in network namespace %s: %w", ns.Name(), err)
	}
	return nil
}
