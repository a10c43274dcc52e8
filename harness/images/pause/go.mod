module gitlab.com/steamer/steamer/harness/images/pause

go 1.26.0
