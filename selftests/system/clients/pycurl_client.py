#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""pycurl_client.py URL CA: one POST with $API_KEY in a header and in the body, by pycurl, whose
libcurl is Debian's with GnuTLS."""
import os
import sys

import pycurl

if "GnuTLS" not in pycurl.version:
    sys.exit("this pycurl has no GnuTLS: " + pycurl.version)
KEY = os.environ["API_KEY"]
curl = pycurl.Curl()
curl.setopt(curl.URL, sys.argv[1])
curl.setopt(curl.CAINFO, sys.argv[2])
curl.setopt(curl.HTTPHEADER, ["X-Api-Key: " + KEY])
curl.setopt(curl.POSTFIELDS, "key=%s&n=1" % KEY)
curl.setopt(curl.WRITEFUNCTION, lambda data: None)
curl.setopt(curl.TIMEOUT, 60)
curl.perform()
sys.exit(curl.getinfo(curl.RESPONSE_CODE) != 200)
