package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"weir/deliver"
	"weir/deliver/internal/aws"
)

// failed is the error of a call; ctx is the caller's, whose error is returned as
// it is.
func (b *remote) failed(ctx context.Context, op, target string, err error) error {
	err = aws.Error(ctx, op, target, err)
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok {
		return err
	}
	if a, ok := errors.AsType[*aws.Answer](e.Err); ok {
		b.judge(e, a)
		if a.RequestID != "" {
			e.Err = fmt.Errorf("%w (request %s)", a, a.RequestID)
		}
	}
	return e
}

// judge adds what an answer means for a bucket and what to do (Amazon S3 API
// Reference, "Error responses").
func (b *remote) judge(e *deliver.Error, a *aws.Answer) {
	switch a.Code {
	case "NoSuchBucket":
		e.Next = fmt.Sprintf("make the bucket %s, or check its name; delivery goes on by itself", b.name)
		return
	case "PermanentRedirect", "TemporaryRedirect", "MovedPermanently", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		e.Kind, e.Next = deliver.Unknown, b.otherRegion(a.Header)
		return
	case "AccessControlListNotSupported", "InvalidBucketAclWithObjectOwnership":
		e.Kind, e.Next = deliver.Access, "the bucket takes no ACLs: leave the header x-amz-acl out"
		return
	case "QuotaExceeded":
		e.Kind, e.Next = deliver.Rate, "make room, or raise the bucket's quota; delivery goes on by itself"
		return
	}
	switch {
	case e.Kind == deliver.Rate:
	case strings.HasPrefix(a.Code, "KMS."):
		e.Kind, e.Next = deliver.Access, "check the KMS key and that its policy allows kms:GenerateDataKey to these credentials"
	case e.Kind == deliver.Access:
		if a.Code == "" || a.Code == "AccessDenied" {
			e.Next = fmt.Sprintf("allow s3:PutObject, s3:PutObjectAcl and s3:ListBucket on %s to these credentials, in the bucket's policy or their own", b.name)
		}
	case a.Status == http.StatusNotFound:
		e.Kind, e.Next = deliver.Access, fmt.Sprintf("check the bucket's name, %s, and the endpoint", b.name)
	case a.Status == http.StatusInsufficientStorage:
		e.Next = "the service has no room left; delivery goes on by itself"
	case 300 <= a.Status && a.Status < 400:
		e.Next = b.otherRegion(a.Header)
	}
}

func (b *remote) otherRegion(h http.Header) string {
	if r := h.Get("X-Amz-Bucket-Region"); r != "" {
		return fmt.Sprintf("the bucket %s is in %s: set that region", b.name, r)
	}
	return fmt.Sprintf("the bucket %s is in another region: set that one", b.name)
}

// probed puts AWS's words for CreateFlowLogs around a probe's error.
func (b *remote) probed(err error) error {
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok {
		return err
	}
	a, ok := errors.AsType[*aws.Answer](e.Err)
	switch {
	case ok && a.Status == http.StatusNotFound:
		e.Err = &MissingError{Bucket: b.name}
		e.Next = fmt.Sprintf("make the bucket %s, or check its name", b.name)
	case e.Kind == deliver.Access:
		e.Err = &DeniedError{Bucket: b.name, Err: e.Err}
	}
	return err
}
