//go:build steamerdeps

package deps
import (
 _ "github.com/HdrHistogram/hdrhistogram-go"
 _ "github.com/go-jose/go-jose/v4/jwt"
 _ "github.com/google/go-containerregistry/pkg/crane"
 _ "github.com/google/go-containerregistry/pkg/registry"
 _ "github.com/google/go-containerregistry/pkg/v1/layout"
 _ "github.com/google/go-containerregistry/pkg/v1/tarball"
 _ "github.com/google/go-containerregistry/pkg/v1/mutate"
 _ "github.com/gruntwork-io/terratest/modules/helm"
 _ "github.com/gruntwork-io/terratest/modules/k8s"
 _ "github.com/jackc/pgx/v5/pgxpool"
 _ "github.com/openbao/openbao/api/v2"
 _ "github.com/spf13/cobra"
 _ "github.com/stretchr/testify/require"
 _ "github.com/vbauerster/mpb/v8"
 _ "go.uber.org/goleak"
 _ "golang.org/x/sync/errgroup"
 _ "golang.org/x/sys/unix"
 _ "github.com/chromedp/chromedp"
 _ "helm.sh/helm/v3/pkg/action"
 _ "k8s.io/client-go/kubernetes"
 _ "sigs.k8s.io/kind/pkg/cluster"
 _ "sigs.k8s.io/yaml"
)
