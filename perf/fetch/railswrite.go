package fetch

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// railsHeaders renders the header of each token of a login of Rails; nil for none. Rails' HTTP
// client is Faraday on Ruby's Net::HTTP.
func railsHeaders(l *fixture.Login) ([]http.Header, error) {
	if l == nil {
		return nil, nil
	}
	all := make([]http.Header, 0, len(l.JWTs))
	for _, jwt := range l.JWTs {
		h, err := inlineAuth(l.AuthPath, "Token", jwt, l.Role)
		if err != nil {
			return nil, err
		}
		h["User-Agent"], h["Accept"] = []string{"Faraday v2"}, []string{"*/*"}
		h["Accept-Encoding"] = []string{"gzip;q=1.0,deflate;q=0.6,identity;q=0.3"}
		all = append(all, h)
	}
	return all, nil
}

func (o *operation) writeValue(name, value, options string) bool {
	body := `{"data":{"value":"` + value + `"},"options":` + options + `}`
	_, ok := o.request(stepWriteValue, true, http.MethodPost, o.w.data+name, body, http.StatusOK)
	return ok
}

// writeMetadata writes the metadata of a secret that is bound to nothing, if its version is still
// the given one.
func (o *operation) writeMetadata(name, fields string, version int64) bool {
	body := `{"custom_metadata":{` + fields + `,"environment":"*","branch":"*"},"metadata_cas":` +
		strconv.FormatInt(version, 10) + `}`
	_, ok := o.request(stepWriteMetadata, true, http.MethodPost, o.w.metadata+name, body, http.StatusNoContent,
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

// changePolicy reads the policy in Rails' JSON form, changes its rules and always writes it.
func (o *operation) changePolicy(change func(map[string]json.RawMessage)) bool {
	resp, ok := o.request(stepReadPolicy, false, http.MethodGet, o.w.policy, "", http.StatusOK, http.StatusNotFound)
	if !ok {
		return false
	}
	policy := struct {
		Path map[string]json.RawMessage `json:"path"`
	}{Path: map[string]json.RawMessage{}}
	if resp.status == http.StatusOK {
		err := json.Unmarshal([]byte(gjson.GetBytes(resp.body, "data.policy").Str), &policy)
		if err != nil || policy.Path == nil {
			o.res.Failures = append(o.res.Failures, Failure{resp.status, classMalformed})
			o.res.fail(stepReadPolicy, resp.status, classMalformed)
			return false
		}
	}
	change(policy.Path)
	text, err := json.Marshal(policy)
	if err == nil {
		text, err = json.Marshal(map[string]string{"policy": string(text)})
	}
	if err != nil { // raw JSON that was read before always encodes
		o.res.fail(stepWritePolicy, 0, classMalformed)
		return false
	}
	_, ok = o.request(stepWritePolicy, false, http.MethodPost, o.w.policy, string(text), http.StatusNoContent,
		http.StatusOK)
	return ok
}
