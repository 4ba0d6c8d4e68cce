// Command weir is VPC Flow Logs for any network you run.
//
//	main ─ run(ctx, args, stdin, stdout, stderr) ─▶ root ─▶ one file per command
//
// A command reads its flags, wires rooms together and prints; it decides
// nothing. Exit status: 0 done, 1 failed, 2 wrong usage.
package main
