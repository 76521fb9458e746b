"""Errors about packages of the catalog."""

from scaiflow_api.kit.errors import AppError


class PackageNotFound(AppError):
    """There is no such package, or the caller may not see it: the two look alike."""

    status, error = 404, "package_not_found"
    template = "There is no package '{package_id}' in the catalog."
    fix = "GET /api/v1/catalog lists the packages that you may see."
    denies = True


class PackageVersionNotFound(AppError):
    status, error = 404, "package_version_not_found"
    template = "The package '{package_id}' has no version '{version}'."
    fix = "GET /api/v1/catalog/{package_id} lists its versions."


class NotPackageAuthor(AppError):
    """Also for the id of a package that the caller may not see: an id can be taken but once in a tenant."""

    status, error = 403, "not_package_author"
    template = "The package '{package_id}' is somebody else's."
    fix = "Publish under another package_id, or ask its author or an administrator of your tenant."
    denies = True


class LiteralSecret(AppError):
    """`secrets` names each place by its node and path; never what stands there."""

    status, error = 400, "literal_secret"
    template = "Everybody who installs the package would read the secret in {first}."
    fix = "Keep secrets in the vault and name them by their paths, or let the caller send them."


class InvalidPackage(AppError):
    """The message says why nothing can be published so."""

    status, error = 422, "invalid_package"
    template = "{message}"


class PackageDamaged(AppError):
    """What the store holds is not what was published, or is not safe to read."""

    status, error = 503, "package_damaged"
    template = "The stored file of version {version} of package '{package_id}' cannot be used: {reason}."
    fix = "Choose another version. The operator may have to restore the store from a backup."


class PublishContention(AppError):
    status, error = 503, "publish_contention"
    template = "Too many changes of this package at the same moment."
    fix = "Try again in a second."
    come_again_s = 1
