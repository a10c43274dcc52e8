// Package attack_test attacks the judge of a release. A table of attacks has one true fault each,
// and the verdict that it must get; a generator mixes random faults with a machine's troubles.
// Both begin with evidence of a good release as runs leave it behind, and go through the gate as
// steamer gate --from does. Every rule of docs/verdict.md is named by an attack that gets another
// verdict where the rule is taken out.
//
// SYNTHETIC TEST DATA: nothing in here was measured.
package attack_test
