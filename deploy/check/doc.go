// Package check holds what is deployed against what will read it, without a cluster, a container engine or a network: the chart against Helm's
// linter and the schemas of Kubernetes, compose.yaml against Compose's own loader, the Dockerfile against BuildKit's parser and hadolint, and every
// configuration of an example against `hitl config check`. With the build tag image it also runs the steps of the image in a clean folder.
//
// It is a module of its own, so that hitl does not depend on Helm. From deploy/check:
//
//	pip install --no-deps --target /tmp/deploy-check -r requirements.txt
//	DEPLOY_CHECK=/tmp/deploy-check go test ./...
//	DEPLOY_CHECK=/tmp/deploy-check go test -tags image -run TestImage ./...
//
// Without DEPLOY_CHECK, what needs it says NOT TESTED, and fails with CI=true.
package check
