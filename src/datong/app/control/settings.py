"""Django's settings, derived from `kernel.config`; no environment variable is read here."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.utils.functional import SimpleLazyObject

from datong.app import parts
from datong.app.control.database import django_database
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.keys import load_or_create_key
from datong.kernel.limits import (
    PASSWORD_CHARACTERS_MIN,
    REQUEST_BODY_BYTES_MAX,
    SESSION_IDLE_S_MAX,
    UPLOAD_MEMORY_BYTES_MAX,
)

clock.freeze_from_environment()
DATONG = load_settings()
_public = urlsplit(DATONG.public_url)
_secure = _public.scheme == "https"

DEBUG = False
SECRET_KEY = SimpleLazyObject(lambda: load_or_create_key(DATONG.keys_dir / "django.key", 64).hex())
ALLOWED_HOSTS = [_public.hostname or "127.0.0.1", "127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "datong.app.control.urls"
WSGI_APPLICATION = "datong.app.control.wsgi.application"
DATABASES = {"default": django_database(DATONG)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "procrastinate.contrib.django",
    *parts.django_apps(),
    *(["datong.ui"] if (parts.part_dir("ui") / "templatetags").is_dir() else []),
    "allauth",
    "allauth.account",
    "django_htmx",
    "csp",
    "datong.app.control.apps.ControlConfig",
]

MIDDLEWARE = [
    "datong.app.control.middleware.RequestFrame",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "datong.app.control.middleware.ChosenLanguage",
    "django.middleware.common.CommonMiddleware",
    "datong.app.control.middleware.BearerToken",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "datong.app.control.middleware.CurrentActor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "datong.app.control.middleware.FailureShape",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [*parts.existing_dirs("templates"), *parts.existing_dirs("web/templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "datong.app.control.context.page_frame",
            ],
        },
    }
]

# People -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "kernel.Member"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "display_name", "name_en")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": PASSWORD_CHARACTERS_MIN},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
ACCOUNT_ADAPTER = "datong.app.control.accounts.AccountAdapter"
ACCOUNT_FORMS = {"change_password": "datong.app.control.accounts.ChangePasswordForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "30/m/ip,5/5m/key"}
ALLAUTH_TRUSTED_CLIENT_IP_HEADER = "X-Datong-Client"

# Cookies and headers ----------------------------------------------------------------------------------------------
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = SESSION_IDLE_S_MAX
SESSION_SAVE_EVERY_REQUEST = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = False
SESSION_COOKIE_NAME = "__Host-datong" if _secure else "datong"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = _secure
CSRF_COOKIE_NAME = "__Host-datong-csrf" if _secure else "datong-csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SECURE = _secure
CSRF_TRUSTED_ORIGINS = [DATONG.public_url]
CSRF_FAILURE_VIEW = "datong.app.control.errors.csrf_failed"
LANGUAGE_COOKIE_NAME = "datong-language"
LANGUAGE_COOKIE_SAMESITE = "Strict"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = _secure
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _secure else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_BODY_BYTES_MAX
FILE_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_MEMORY_BYTES_MAX
FILE_UPLOAD_PERMISSIONS = 0o600

# Language, time, files --------------------------------------------------------------------------------------------
LANGUAGE_CODE = DATONG.language
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = parts.existing_dirs("locale")
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
STATIC_URL = "/static/"
STATICFILES_DIRS = parts.existing_dirs("static")
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# Shared, so that sign-in limits hold across processes and restarts.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "kernel_cache", "TIMEOUT": 3600}
}
PROCRASTINATE_ON_APP_READY = "datong.kernel.jobs.service.register"
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "datong.kernel.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": DATONG.text("DATONG_LOG_LEVEL").upper()},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "procrastinate": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
