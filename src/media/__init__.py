"""Open media for members: sign the CloudFront cookies that the path of the media requires."""
