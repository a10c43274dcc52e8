// Command steamer tests and loads OpenBao charts the way GitLab deploys them.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"gitlab.com/steamer/steamer/harness/cli"
	"gitlab.com/steamer/steamer/harness/exit"
)

func main() { os.Exit(int(run())) }

func run() exit.Code {
	log.SetOutput(io.Discard) // Helm's libraries write there at each load and render
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		s := <-signals
		fmt.Fprintf(os.Stderr, "\nsteamer: %s: cleaning up (a second signal aborts at once)\n", s)
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "steamer: aborted; steamer cluster gc removes what is left, on an existing cluster with its --context")
		os.Exit(int(exit.Interrupted))
	}()
	return cli.Main(ctx, &cli.State{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv})
}
