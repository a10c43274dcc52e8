// Command gitlab-stub stands in for the parts of GitLab that OpenBao talks to:
// the OpenID Connect issuer of its JWTs (discovery document and public keys)
// and the receiver of its audit stream. Both can be made slow, failing or
// silent, and both count what they get. It holds no private key and signs
// nothing.
//
// Configuration comes from flags, whose defaults come from the environment:
// ISSUER, LISTEN, JWKS_FILE, AUDIT_TOKEN_FILE and FAULTS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// shutdownGrace is how long requests in flight may finish after a signal. Faulty
// endpoints are released at once, so nothing takes longer by design.
const shutdownGrace = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stderr, log); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		log.Error("gitlab-stub failed", "error", err.Error())
		os.Exit(1)
	}
}

// run serves until ctx ends. It returns an error for bad flags, and when the
// address cannot be bound or serving fails.
func run(ctx context.Context, args []string, getenv func(string) string, usage io.Writer, log *slog.Logger) error {
	env := func(name, fallback string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return fallback
	}
	flags := flag.NewFlagSet("gitlab-stub", flag.ContinueOnError)
	flags.SetOutput(usage)
	listen := flags.String("listen", env("LISTEN", ":8080"), "address to serve plain HTTP on (LISTEN)")
	issuer := flags.String("issuer", env("ISSUER", ""), "issuer URL, as it stands in the tokens; required (ISSUER)")
	jwks := flags.String("jwks", env("JWKS_FILE", "/etc/gitlab-stub/jwks.json"),
		"file with the public keys, read on each request (JWKS_FILE)")
	token := flags.String("audit-token", env("AUDIT_TOKEN_FILE", ""),
		"file with the audit token; without it every record is refused (AUDIT_TOKEN_FILE)")
	faults := flags.String("faults", env("FAULTS", "{}"), "faults to begin with, as POST /-/control takes them (FAULTS)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: gitlab-stub takes flags only", flags.Arg(0))
	}
	stub, err := newStub(*issuer, *jwks, *token, log)
	if err != nil {
		return err
	}
	if err := stub.setFaults(strings.NewReader(*faults)); err != nil {
		return fmt.Errorf("faults (flag -faults or FAULTS): %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("gitlab-stub serves", "address", listener.Addr().String(), "issuer", stub.issuer)
	return serve(ctx, listener, stub)
}

// serve answers requests on listener until ctx ends, then releases every held
// request and lets the rest finish within shutdownGrace.
func serve(ctx context.Context, listener net.Listener, stub *stub) error {
	server := &http.Server{
		Handler:           stub.handler(),
		ConnState:         stub.countConnection,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := server.Shutdown(grace)
	<-failed
	return err
}
