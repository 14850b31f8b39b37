#!/bin/sh
# Guess:  cryptography.x509 reads a TeletexString (T61String) as OpenSSL does and CAs write it, as Latin-1; and a
#         certificate that it has loaded has a subject that can be read.
# Truth:  it reads TeletexString as UTF-8, and only when the name is asked for: the certificate loads, its serial number
#         and key are there, and `.subject` raises ValueError. With bytes that happen to be UTF-8 it reads other text
#         than OpenSSL, without a word.
# Version: cryptography 50.0.2 (OpenSSL 3.0 on the command line).
# Matters to: whoever loads certificates of older European CAs and takes a certificate that loaded for one that is
#         readable; a ValueError far from the parsing ends whatever loop it is in.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cryptography==50.0.2
cd "$work"
printf '[req]\ndistinguished_name=dn\nstring_mask=MASK:0x4\n[dn]\n' >teletex.cnf
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out ca.pem -days 10 \
  -config teletex.cnf -utf8 -subj '/CN=Müller CA' 2>/dev/null
openssl version
openssl x509 -in ca.pem -noout -subject -nameopt utf8,show_type,sname
"$work/venv/bin/python" - <<'PYTHON'
import cryptography
from cryptography import x509

print("cryptography", cryptography.__version__)
certificate = x509.load_pem_x509_certificate(open("ca.pem", "rb").read())
print("loads, serial number", certificate.serial_number > 0, "key", type(certificate.public_key()).__name__)
try:
    print("subject:", certificate.subject.rfc4514_string())
except ValueError as error:
    print("subject: ValueError:", str(error)[:120])
else:
    raise SystemExit("the behaviour has changed: the subject can be read")
PYTHON
