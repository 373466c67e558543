"""The kinds that are looked for. Names in Chinese, English and pinyin initials, as agencies' tables carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datong.catalog.words import IdentifierKind, Mask
from datong.privacy.detect.model import Kind, Role

_NUMBERING = (
    r"订单|流水|批次|序号|业务号|受理号|单号|案号|文号|编号|编码|条码|快递|运单|"
    r"\border|serial|batch|track|waybill|seq|invoice|version|(^|_)id$"
)
"""Names of running numbers: their values look like identifiers and are none."""


def _by_name(code: str, zh: str, en: str, names: str, grade: int = 4, *, is_sensitive: bool = True) -> Kind:
    return Kind(
        code=code,
        title_zh=zh,
        title_en=en,
        role=Role.ATTRIBUTE,
        grade=grade,
        mask=Mask.ALL,
        names=names,
        is_sensitive=is_sensitive,
    )


_ALL: Final = (
    Kind(
        code="resident_id",
        title_zh="公民身份号码",
        title_en="resident identity number",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.ID_6_4,
        names=r"身份证|身份号码|公民身份|证件号|\bsfz|\bgmsfh|id_?card|id_?number|identity_?n|resident_?id",
        not_names=_NUMBERING.replace("|编号", ""),
        share_min=0.5,
        share_named=0.05,
        identifier=IdentifierKind.RESIDENT_ID,
    ),
    Kind(
        code="mobile",
        title_zh="手机号码",
        title_en="mobile number",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.MOBILE_3_4,
        names=r"手机|移动电话|联系电话|联系方式|电话|\bsj(h|hm)?\b|lxdh|mobile|phone|\btel",
        not_names=_NUMBERING,
        share_min=0.7,
        share_named=0.2,
    ),
    Kind(
        code="landline",
        title_zh="固定电话",
        title_en="telephone number",
        role=Role.QUASI,
        grade=2,
        mask=Mask.ENDS,
        names=r"电话|座机|传真|lxdh|phone|\btel|fax",
        not_names=_NUMBERING,
        share_min=0.8,
        share_named=0.3,
    ),
    Kind(
        code="bank_card",
        title_zh="银行卡号",
        title_en="bank card number",
        role=Role.DIRECT,
        grade=4,
        mask=Mask.BANK_6_4,
        names=r"银行卡|卡号|账号|帐号|开户|yhk|bank_?(card|acc)|card_?n|account_?n",
        not_names=_NUMBERING,
        share_min=0.8,
        share_named=0.3,
        is_sensitive=True,
    ),
    Kind(
        code="passport",
        title_zh="护照号码",
        title_en="passport number",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.ENDS,
        names=r"护照|证件号|passport",
        not_names=_NUMBERING,
        share_min=0.9,
        share_named=0.3,
    ),
    Kind(
        code="hk_mo_permit",
        title_zh="港澳台通行证号码",
        title_en="travel permit number (Hong Kong, Macao, Taiwan)",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.ENDS,
        names=r"通行证|回乡证|台胞证|证件号|permit",
        not_names=_NUMBERING,
        share_min=0.9,
        share_named=0.3,
    ),
    Kind(
        code="plate",
        title_zh="机动车号牌",
        title_en="vehicle plate",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.ENDS,
        names=r"车牌|号牌|车号|cph|plate",
        share_min=0.6,
        share_named=0.2,
    ),
    Kind(
        code="email",
        title_zh="电子邮箱",
        title_en="e-mail address",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.EMAIL,
        names=r"邮箱|邮件|e-?mail|dzyx",
        share_min=0.5,
        share_named=0.1,
    ),
    Kind(
        code="ip",
        title_zh="IP地址",
        title_en="IP address",
        role=Role.QUASI,
        grade=2,
        mask=Mask.ENDS,
        names=r"\bip(v[46])?\b|_ip$|ip地址|ip_?addr",
        not_names=r"version|版本|章节|条款|section",
        share_min=0.8,
        share_named=0.3,
    ),
    Kind(
        code="mac",
        title_zh="设备网卡地址",
        title_en="device hardware address",
        role=Role.QUASI,
        grade=2,
        mask=Mask.ENDS,
        names=r"\bmac\b|网卡|mac_?addr",
        share_min=0.6,
        share_named=0.3,
    ),
    Kind(
        code="address",
        title_zh="详细地址",
        title_en="street address",
        role=Role.QUASI,
        grade=3,
        mask=Mask.ENDS,
        names=r"地址|住址|住所|户籍地|居住地|(?<!ip_)(?<!mac_)address|\b(dz|zz|jzdz|hjdz)\b",
        not_names=r"网址|邮箱|\bip|\bmac|url|e-?mail",
        share_min=0.5,
        share_named=0.2,
    ),
    Kind(
        code="person_name",
        title_zh="自然人姓名",
        title_en="personal name",
        role=Role.DIRECT,
        grade=3,
        mask=Mask.SURNAME,
        names=r"姓名|联系人|法定代表人|负责人|经办人|申请人|户主|监护人|\bxm\b|person_?name|full_?name|contact",
        not_names=r"单位|机构|企业|公司|品牌|商品|产品|品种|地名|街道|道路|站点|站名|路线|景区|小区|学校|科目|颜色",
        share_min=0.8,
        share_named=0.4,
        distinct_min=12,
    ),
    Kind(
        code="birth_date",
        title_zh="出生日期",
        title_en="date of birth",
        role=Role.QUASI,
        grade=3,
        mask=Mask.YEAR,
        names=r"出生|生日|\bcsrq|\bcsny|birth|\bdob\b",
        not_names=r"地|籍|place|rate|数|率|证",
        share_min=1.0,
        share_named=0.3,
    ),
    Kind(
        code="coordinates",
        title_zh="地理坐标",
        title_en="geographic coordinates",
        role=Role.QUASI,
        grade=2,
        mask=Mask.ALL,
        names=r"经度|纬度|坐标|经纬|\b(lon|lng|lat)\b|_(lon|lng|lat)$|longitude|latitude|\bgps|geom",
        share_min=0.95,
        share_named=0.3,
    ),
    Kind(
        code="uscc",
        title_zh="统一社会信用代码",
        title_en="unified social credit code",
        role=Role.ORGANISATION,
        grade=1,
        mask=Mask.NONE,
        names=r"统一社会信用|社会信用代码|信用代码|uscc|tyshxydm|credit_?code",
        share_min=0.5,
        share_named=0.1,
        identifier=IdentifierKind.USCC,
    ),
    _by_name(
        "health",
        "医疗健康信息",
        "health information",
        r"诊断|疾病|病名|病史|病种|病历|症状|用药|处方|药品名|检验结果|检查结果|血型|残疾|过敏|手术|传染|孕产|体检|"
        r"\bicd|diagnos|disease|symptom|prescri|allerg|blood_?type|disab|medical",
    ),
    _by_name(
        "finance",
        "金融财产信息",
        "financial information",
        r"工资|薪|个人收入|家庭收入|月收入|年收入|存款|账户余额|贷款|负债|个税|缴费基数|公积金|养老金|低保金|"
        r"salary|\bwage|income|balance|\bloan|\bdebt|pension",
    ),
    _by_name(
        "biometric",
        "生物识别信息",
        "biometric information",
        r"指纹|人脸|面部|虹膜|声纹|掌纹|基因|\bdna\b|fingerprint|face_?(id|image|feat)|iris|voiceprint",
    ),
    _by_name("belief", "宗教信仰", "religious belief", r"宗教|信仰|religio"),
    _by_name(
        "identity",
        "特定身份",
        "specific identity",
        r"犯罪|前科|刑罚|吸毒|戒毒|社区矫正|上访|信访人|涉案|crimin|offend|convict",
    ),
    _by_name("whereabouts", "行踪轨迹", "whereabouts", r"轨迹|行程|行踪|住宿记录|入住|trajector|itinerar|whereabouts"),
    _by_name(
        "child", "未成年人信息", "information on a child", r"学籍|儿童|未成年|婴儿|新生儿|监护|child|infant|guardian", 4
    ),
    _by_name(
        "ethnicity",
        "民族",
        "ethnic group",
        r"民族(?!团结|区域|路|街)|ethnic|\bmz\b|nationality_?code",
        3,
        is_sensitive=False,
    ),
    _by_name(
        "civil_status",
        "婚姻、政治面貌等个人情况",
        "marital status, political affiliation and the like",
        r"婚姻|配偶|政治面貌|党派|兵役|生育|marital|spouse|political_?(status|aff)",
        3,
        is_sensitive=False,
    ),
    _by_name(
        "secret",
        "口令或密钥",
        "password or key",
        r"密码|口令|密钥|私钥|password|passwd|\bpwd\b|secret|private_?key|api_?key|access_?token",
        is_sensitive=False,
    ),
)
KINDS: Final[Mapping[str, Kind]] = {kind.code: kind for kind in _ALL}
EMBEDDED: Final = ("resident_id", "mobile", "email")
"""Kinds that are also looked for inside longer text; one row in two hundred is enough."""
EMBEDDED_SHARE_MIN: Final = 0.005
"""Share of a text column's values that hold an identifier amid other words."""
