module gitlab.com/steamer/steamer/harness/images/gitlab-stub

go 1.26.0

toolchain go1.26.10
