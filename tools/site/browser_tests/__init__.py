"""The site in a real headless Chromium. Not part of `nox -s parity`.

pytest tools/site/browser_tests
"""
