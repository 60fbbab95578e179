"""Scrubs texts meant for the public: whatever has the form of personal data is masked before a person reads on.

Patterns catch forms, not meanings: a second person still approves every notice.
"""

import re

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_BUILDING = r"[0-9]+(?:栋|幢|号楼|单元|座(?!桥))"

_FORMS = (
    (re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])"), "〔证件号〕"),
    (re.compile(r"(?<![0-9])[0-9]{15,19}(?![0-9])"), "〔号码〕"),
    (re.compile(r"(?<![0-9])(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}(?![0-9])"), "〔电话〕"),
    (re.compile(r"(?<![0-9])0[0-9]{2,3}[- ]?[0-9]{7,8}(?![0-9])"), "〔电话〕"),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), "〔邮箱〕"),
    (re.compile(rf"[{_PROVINCES}][A-HJ-NP-Z][·• ]?[A-HJ-NP-Z0-9]{{5,6}}"), "〔车牌〕"),
    (re.compile(rf"{_BUILDING}(?:[0-9]+(?:单元|楼|层))*(?:[0-9A-Za-z]+(?:室|房)?)?"), "〔门牌〕"),
    (re.compile(r"[0-9]{3,5}(?:室|房)"), "〔门牌〕"),
    (re.compile(r"(?<![月0-9])[0-9]+号(?:门牌|之[0-9]+)?(?![文线])"), "〔门牌〕"),
)


def scrub(text: str) -> str:
    """The text with identity, bank and telephone numbers, e-mail, plates and house numbers masked."""
    for form, mask in _FORMS:
        text = form.sub(mask, text)
    return text
