package check

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// searchTime bounds one search for an order, and searchBudget all of them and their shortening.
const (
	searchTime   = 2 * time.Second
	searchBudget = 30 * time.Second
)

// maxShortened is the largest window that a violation is shortened in.
const maxShortened = 200

// search looks for one order of some operations that explains all answers: LIN. Without enough
// time nothing is decided.
func (c *checker) search(where string, model porcupine.Model, list []porcupine.Operation, ops []record) {
	if len(list) == 0 {
		return
	}
	c.searches++
	switch c.linearizable(model, list) {
	case porcupine.Ok:
	case porcupine.Unknown:
		c.undecided(where, fmt.Sprintf("no order of %d operations was found in time", len(list)))
	case porcupine.Illegal:
		witness := []int{}
		for _, o := range c.shorten(model, list, ops) {
			witness = append(witness, int(o.Input.(int32)))
		}
		c.violate("LIN", where, "no order of these operations explains their answers", ops, witness...)
	}
}

func (c *checker) linearizable(model porcupine.Model, list []porcupine.Operation) porcupine.CheckResult {
	left := min(searchTime, searchBudget-c.searched)
	if left <= 0 {
		return porcupine.Unknown
	}
	began := time.Now()
	result := porcupine.CheckOperationsTimeout(model, list, left)
	c.searched += time.Since(began)
	return result
}

// shorten leaves out each read without which there is still no order. What changes something
// stays: without it, what was seen of it would have no order by itself.
func (c *checker) shorten(model porcupine.Model, list []porcupine.Operation, ops []record) []porcupine.Operation {
	if len(list) > maxShortened {
		return list
	}
	for i := len(list) - 1; i >= 0; i-- {
		if ops[list[i].Input.(int32)].possible() {
			continue
		}
		without := append(append([]porcupine.Operation{}, list[:i]...), list[i+1:]...)
		if c.linearizable(model, without) == porcupine.Illegal {
			list = without
		}
	}
	return list
}
