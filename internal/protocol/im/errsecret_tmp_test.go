package im_test

import "errors"

var errSecret = errors.New("secret")
