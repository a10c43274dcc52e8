package images

import (
	"context"
	"maps"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Versions of the workload images, as their modules and packages pin them.
const (
	openBaoVersion    = "2.4.0"
	postgreSQLVersion = "15"
	K6Version         = "v2.1.0"
	stubVersion       = "1"
)

// userland is what scripts in other people's charts call in an OpenBao image.
var userland = []string{
	"sh", "ash", "cat", "chmod", "cp", "cut", "date", "echo", "env", "false", "grep", "head", "hostname", "id", "kill",
	"ln",
	"ls", "mkdir", "mktemp", "mv", "nc", "nslookup", "pgrep", "pidof", "printf", "ps", "pwd", "readlink", "rm", "sed",
	"seq",
	"sleep", "sort", "tail", "tee", "test", "touch", "tr", "true", "uname", "wc", "wget", "which", "xargs", "awk",
}

func openbaoBinary() binary {
	return binary{
		name: "bao", module: "harness/images/openbao", pkg: "github.com/openbao/openbao",
		ldflags: []string{"-X", "github.com/openbao/openbao/version.fullVersion=" + openBaoVersion},
	}
}

// OpenBaoBinary returns the path of the OpenBao program, building it first if the cache does not
// hold it.
func (b *Builder) OpenBaoBinary(ctx context.Context) (string, error) {
	return b.binary(ctx, openbaoBinary())
}

func k6Binary() binary { return binary{name: "k6", module: "perf", pkg: "./cmd/k6"} }

// K6Binary returns the path of k6 with Steamer's extension, building it first if the cache does
// not hold it.
func (b *Builder) K6Binary(ctx context.Context) (string, error) { return b.binary(ctx, k6Binary()) }

// openbaoRecipe makes an image on which GitLab's chart and the community chart run.
func openbaoRecipe() recipe {
	return serverRecipe(OpenBao, openBaoVersion, map[string]entry{
		"/etc/passwd": {data: []byte("root:x:0:0::/:/bin/sh\nopenbao:x:100:1000::/openbao:/bin/sh\n")},
		"/etc/group":  {data: []byte("root:x:0:\nopenbao:x:1000:\n")},
		"/openbao":    {dir: true, mode: 0o755, uid: 100},
		// HashiCorp's chart calls it by this name.
		"/usr/bin/vault": {link: "bao"}, "/home/vault": {dir: true, mode: 0o755, uid: 100},
	}, openbaoBinary())
}

// serverRecipe makes an image of a server for other people's charts: any user, the server on the
// PATH, a small shell userland, and an entrypoint at the path they call.
func serverRecipe(image, version string, own map[string]entry, program binary) recipe {
	return recipe{
		version: version,
		inputs: []string{
			"harness/images/workloads.go", "harness/images/layer.go", "harness/images/files/" + image, program.module,
		},
		debian: []rootfs{busyboxRoot()},
		build: func(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error) {
			server, err := b.binary(ctx, program)
			if err != nil {
				return nil, err
			}
			root, err := b.debianRoot(ctx, busyboxRoot(), debian[busyboxRoot().label])
			if err != nil {
				return nil, err
			}
			busybox, err := fileOf(root, "bin/busybox")
			if err != nil {
				return nil, err
			}
			entrypoint, err := os.ReadFile(filepath.Join(b.Root, "harness/images/files", image, "docker-entrypoint.sh"))
			if err != nil {
				return nil, err
			}
			files := maps.Clone(own)
			maps.Copy(files, map[string]entry{
				"/bin/busybox": {data: busybox, mode: 0o755}, "/usr/bin/" + program.name: {source: server},
				"/usr/local/bin/docker-entrypoint.sh": {data: entrypoint, mode: 0o755},
				"/tmp":                                {dir: true, mode: 0o1777},
			})
			for _, applet := range userland {
				files["/bin/"+applet] = entry{link: "busybox"}
			}
			return b.single(image, v1.Config{
				Entrypoint: []string{"/usr/local/bin/docker-entrypoint.sh"}, User: "100:1000",
				Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
			}, files)
		},
	}
}

func busyboxRoot() rootfs {
	return rootfs{label: "busybox", variant: "extract", packages: []string{"busybox-static"}}
}

func postgresqlRoot() rootfs {
	return rootfs{
		label: "postgresql", variant: "minbase", packages: []string{"postgresql-15", "pgbouncer"},
		hooks: []string{
			// The package keeps a user that exists; the tools that would add one are not installed
			// yet.
			`echo "postgres:x:999:" >> "$1/etc/group"`,
			`echo "postgres:x:999:999::/var/lib/postgresql:/bin/bash" >> "$1/etc/passwd"`,
			// The image starts its own cluster; Debian's would be dead weight.
			`mkdir -p "$1/etc/postgresql-common" && ` +
				`echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"`,
		},
	}
}

// postgresqlRecipe makes an image with the environment conventions of the official one, and its
// uid 999.
func postgresqlRecipe() recipe {
	return recipe{
		version: postgreSQLVersion,
		inputs:  []string{"harness/images/workloads.go", "harness/images/layer.go", "harness/images/files/postgresql"},
		debian:  []rootfs{postgresqlRoot()},
		build: func(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error) {
			root, err := b.debianRoot(ctx, postgresqlRoot(), debian[postgresqlRoot().label])
			if err != nil {
				return nil, err
			}
			entrypoint, err := os.ReadFile(filepath.Join(b.Root, "harness/images/files/postgresql/docker-entrypoint.sh"))
			if err != nil {
				return nil, err
			}
			dir, err := b.layerDir(PostgreSQL)
			if err != nil {
				return nil, err
			}
			layer := filepath.Join(dir, "layer.tar")
			err = writeLayer(layer, map[string]entry{
				"/usr/local/bin/docker-entrypoint.sh": {data: entrypoint, mode: 0o755},
				"/docker-entrypoint-initdb.d":         {dir: true},
				"/var/lib/postgresql":                 {dir: true, uid: 999},
				"/run/postgresql":                     {dir: true, uid: 999, mode: 0o2775},
				"/var/lib/postgresql/data":            {dir: true, uid: 999, mode: 0o700},
			})
			if err != nil {
				return nil, err
			}
			return imageOf(v1.Config{
				Entrypoint: []string{"/usr/local/bin/docker-entrypoint.sh"}, Cmd: []string{"postgres"},
				Env: []string{
					"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin",
					"PGDATA=/var/lib/postgresql/data", "LANG=C.UTF-8",
				},
				StopSignal: "SIGINT", // PostgreSQL's fast shutdown
			}, root, layer)
		},
	}
}

func stubRecipe() recipe {
	module := "harness/images/gitlab-stub"
	return recipe{
		version: stubVersion,
		inputs:  []string{"harness/images/workloads.go", "harness/images/layer.go", module},
		build: func(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error) {
			return b.static(ctx, GitLabStub, binary{name: "gitlab-stub", module: module, pkg: "."})
		},
	}
}

func k6Recipe() recipe {
	return recipe{
		version: K6Version,
		inputs:  []string{"harness/images/workloads.go", "harness/images/layer.go", "perf"},
		build: func(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error) {
			return b.static(ctx, K6, k6Binary())
		},
	}
}

// static makes an image that holds one statically linked program and runs it as a non-root user.
func (b *Builder) static(ctx context.Context, image string, bin binary) (v1.Image, error) {
	program, err := b.binary(ctx, bin)
	if err != nil {
		return nil, err
	}
	target := "/usr/local/bin/" + bin.name
	return b.single(image, v1.Config{
		Entrypoint: []string{target}, User: "65532:65532",
		Env: []string{"PATH=/usr/local/bin"},
	}, map[string]entry{
		target: {source: program}, "/tmp": {dir: true, mode: 0o1777},
	})
}

// single makes an image of one layer.
func (b *Builder) single(image string, config v1.Config, files map[string]entry) (v1.Image, error) {
	dir, err := b.layerDir(image)
	if err != nil {
		return nil, err
	}
	layer := filepath.Join(dir, "layer.tar")
	if err := writeLayer(layer, files); err != nil {
		return nil, err
	}
	return imageOf(config, layer)
}
