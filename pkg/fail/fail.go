// Package fail gives errors the two things that the edge of the program
// needs: an exit code and a hint (a command to type). It is not a general
// error library: errors below the edge stay ordinary.
package fail

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// Code is an exit code. The values are documented in docs/reference/exit-codes.md and never change.
type Code int

const (
	OK          Code = 0
	Failed      Code = 1
	Usage       Code = 2
	Partly      Code = 3   // some of several nodes failed
	RolledBack  Code = 4   // the node was put back to its previous system
	Conflict    Code = 5   // the merge needs a person
	Unreachable Code = 6   // the node could not be reached
	Locked      Code = 7   // another deployment holds the node
	Cancelled   Code = 130 // by the user
)

// Error is an error with an exit code and hints.
type Error struct {
	Code  Code
	Err   error
	Hints []string // commands to type, or one sentence
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// New returns an Error. Hints are commands to type that lead on; an empty one is none.
func New(code Code, err error, hints ...string) error {
	hints = slices.DeleteFunc(slices.Clone(hints), func(h string) bool { return h == "" })
	return &Error{Code: code, Err: err, Hints: hints}
}

// Errorf returns an Error with a formatted text and no hint.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf returns the exit code for err: 0 for nil, Cancelled for a cancelled
// context, the outermost Error's code, else Failed.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Failed
}

// HintsOf returns all hints of the Errors that err wraps, outermost first.
func HintsOf(err error) []string {
	var hints []string
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		hints = append(hints, e.Hints...)
		err = e.Err
	}
	return hints
}

// OutcomeCode returns the exit code that tells a deployment's outcome.
func OutcomeCode(o event.Outcome) Code {
	switch {
	case o.OK():
		return OK
	case o == event.RolledBack:
		return RolledBack
	case o == event.Locked:
		return Locked
	case o == event.Unknown:
		return Unreachable
	}
	return Failed
}
