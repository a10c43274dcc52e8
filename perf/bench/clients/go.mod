module gitlab.com/steamer/steamer/perf/bench/clients

go 1.26.0

require (
	github.com/tidwall/gjson v1.19.0
	github.com/valyala/fasthttp v1.78.0
	gitlab.com/steamer/steamer/perf v0.0.0
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/molecule-man/go-brrr v1.3.1 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
)

replace gitlab.com/steamer/steamer/perf => ../..
