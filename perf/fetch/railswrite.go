package fetch

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"
)

// railsClient are the header fields that Rails' HTTP client, Faraday on Ruby's Net::HTTP, adds.
const railsClient = "\r\nUser-Agent: Faraday v2\r\nAccept: */*\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\n"

// appendRails appends a request of Rails to buf.
func (p *Plan) appendRails(buf []byte, method, path string, auth []byte, body string) []byte {
	buf = append(append(append(append(buf, method...), ' '), path...), " HTTP/1.1\r\nHost: "...)
	buf = append(append(buf, p.host...), auth...)
	if body != "" {
		buf = append(buf, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(body)), 10)
	}
	return append(append(append(buf, railsClient...), "\r\n"...), body...)
}

func (o *operation) writeValue(name, value, options string) bool {
	body := `{"data":{"value":"` + value + `"},"options":` + options + `}`
	_, ok := o.request(StepWriteValue, true, http.MethodPost, o.w.data+name, body, http.StatusOK)
	return ok
}

// writeMetadata writes the metadata of a secret that is bound to nothing, if its version is still
// the given one.
func (o *operation) writeMetadata(name, fields string, version int64) bool {
	body := `{"custom_metadata":{` + fields + `,"environment":"*","branch":"*"},"metadata_cas":` +
		strconv.FormatInt(version, 10) + `}`
	_, ok := o.request(StepWriteMetadata, true, http.MethodPost, o.w.metadata+name, body, http.StatusNoContent,
		http.StatusOK)
	return ok
}

// grant lets jobs read the secret.
func (o *operation) grant(name string) bool {
	return o.changePolicy(func(rules map[string]json.RawMessage) {
		for _, path := range []string{o.w.dataRule, o.w.metadataRule} {
			rules[path+name] = json.RawMessage(`{"capabilities":["read"]}`)
		}
	})
}

// withdraw takes that permission back.
func (o *operation) withdraw(name string) bool {
	return o.changePolicy(func(rules map[string]json.RawMessage) {
		delete(rules, o.w.dataRule+name)
		delete(rules, o.w.metadataRule+name)
	})
}

// changePolicy reads the policy in Rails' JSON form, changes its rules and writes it, changed or
// not.
func (o *operation) changePolicy(change func(map[string]json.RawMessage)) bool {
	resp, ok := o.request(StepReadPolicy, false, http.MethodGet, o.w.policy, "", http.StatusOK, http.StatusNotFound)
	if !ok {
		return false
	}
	policy := struct {
		Path map[string]json.RawMessage `json:"path"`
	}{Path: map[string]json.RawMessage{}}
	if resp.Status == http.StatusOK {
		err := json.Unmarshal([]byte(gjson.GetBytes(resp.Body, "data.policy").Str), &policy)
		if err != nil || policy.Path == nil {
			o.res.Failures = append(o.res.Failures, Failure{resp.Status, ClassMalformed})
			o.res.fail(StepReadPolicy, resp.Status, ClassMalformed)
			return false
		}
	}
	change(policy.Path)
	text, err := json.Marshal(policy)
	if err == nil {
		text, err = json.Marshal(map[string]string{"policy": string(text)})
	}
	if err != nil { // raw JSON that was read before always encodes
		o.res.fail(StepWritePolicy, 0, ClassMalformed)
		return false
	}
	_, ok = o.request(StepWritePolicy, false, http.MethodPost, o.w.policy, string(text), http.StatusNoContent,
		http.StatusOK)
	return ok
}
