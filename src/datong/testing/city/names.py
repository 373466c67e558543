"""Chinese names as a city has them: surnames by frequency, given names by sex and decade, look-alike characters.

Weights are orders of size, from public statistics of surnames; the given names are ours, and of no real people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

_TABLE_BITS: Final = 12

_SURNAMES: Final = (
    "王715 李710 张680 刘530 陈460 杨310 赵210 黄220 周190 吴190 徐150 孙145 胡120 朱120 高105 林110 何105 郭105 "
    "马100 罗85 梁80 宋75 郑75 谢70 韩65 唐65 冯62 于60 董60 萧12 程55 曹55 袁52 邓52 许52 傅35 沈48 曾48 彭47 "
    "吕45 苏44 卢42 蒋42 蔡41 贾40 丁40 魏40 薛38 叶38 阎10 余37 潘36 杜35 戴34 夏33 钟33 汪32 田32 任31 姜31 范30 "
    "方30 石29 姚29 谭28 廖28 邹27 熊26 金26 陆25 郝25 孔24 白24 崔23 康22 毛22 邱21 秦21 江20 史20 顾19 侯19 邵18 "
    "孟18 龙18 万17 段17 雷16 钱16 汤15 尹15 黎14 易14 常13 武13 乔12 贺12 赖12 龚12 文11 庞5 樊6 兰6 殷5 施6 陶6 "
    "洪6 翟5 安5 颜5 倪5 严6 牛4 温5 芦3 季4 俞4 章5 鲁4 葛4 伍3 韦5 申3 尤2 毕3 聂3 丛2 焦2 向3 柳3 邢3 骆2 岳2 "
    "齐2 尚2 梅2 莫3 庄2 辛2 管2 祝2 左2 涂2 谷2 祁1 时1 舒1 耿2 牟1 卜1 路1 詹1 关2 苗1 凌1 费1 纪1 靳1 盛1 童1 "
    "欧1 甄1 项1 曲1 成1 游1 阳1 裴1 席1 卫1 查1 屈1 鲍1 位1 欧阳4 上官1 司马1 诸葛1 皇甫1 尉迟1 夏侯1 东方1 令狐1 "
    "慕容1 司徒1 端木1"
)

_COHORTS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    # first characters, second characters, one-character names, whole names that were in fashion
    "1-0": (
        "建国志永德文世玉春金长福明家光振树兴荣维",
        "国华民军平生林山海清祥贵福才荣兴发富明成",
        "勇刚强军伟斌辉杰波涛",
        "建国 建华 国强 建军 志强 国庆 德福 玉山 春生 永贵 长江 援朝 金生 宝林 树林 福生 卫国 文明",
    ),
    "2-0": (
        "秀桂玉淑凤春兰金爱素美月翠丽惠文国雪巧银",
        "英兰珍芳梅华荣琴香云霞莲花娥芬珠凤萍玲仙",
        "芳敏静霞红梅英玲萍兰",
        "秀英 桂英 秀兰 玉兰 淑珍 桂兰 玉英 秀珍 凤英 淑英 玉珍 桂芳 春梅 素珍 翠花 爱华 凤兰 美英",
    ),
    "1-1": (
        "志建国文晓海永俊立少春新伟宏学振向卫东红",
        "军伟强峰勇平辉明刚斌波涛林杰飞华超东旭宁",
        "伟军勇强涛斌峰磊刚波辉鹏杰超飞亮",
        "志强 建军 海涛 晓东 卫东 建平 文斌 国栋 向阳 红军 立军 永强 俊峰 新华 志刚 学军 宏伟 春雷",
    ),
    "2-1": (
        "丽晓红春海雪艳秀玉文小美爱桂燕立金慧婷佳",
        "红丽娟梅霞燕芳萍英玲敏华艳荣琴云静玲娜辉",
        "静丽敏艳娟燕芳霞红玲娜梅婷",
        "丽娟 晓红 春燕 海燕 丽华 秀丽 红梅 雪梅 小燕 丽萍 艳红 晓燕 爱萍 玉梅 文娟 慧敏 桂琴 立红",
    ),
    "1-2": (
        "子浩宇俊志明嘉泽伟鑫文晨天博家少思凯一启",
        "轩然宇豪杰辰鑫涛超鹏毅阳楠恒昊霖航睿成哲",
        "浩伟鹏磊超鑫杰凯宇帅旭洋阳博",
        "浩然 宇航 子豪 俊杰 志鹏 嘉豪 文杰 家豪 天宇 明轩 泽宇 晨阳 博文 思远 伟杰 鑫磊 志豪 一鸣",
    ),
    "2-2": (
        "雨欣思佳梦晓诗婷子雅静嘉怡文雪慧紫若梓玉",
        "涵怡婷琪欣妍颖悦萱瑶洁雯蕾琳彤菲玲娜宁馨",
        "婷静雪倩颖洁莹丹璐娜琳欣悦",
        "雨欣 思琪 梦瑶 佳怡 欣怡 雨婷 诗涵 晓雯 雅婷 梦婷 静怡 嘉欣 慧颖 紫涵 若曦 佳琪 思颖 雪莹",
    ),
    "1-3": (
        "子浩梓沐宇奕俊泽一晨睿皓铭辰承景书博嘉亦",
        "轩辰宇泽涵洋然宸浩霖阳诺煊熙安晨航远行之",
        "睿辰昊宸泽一煜",
        "子轩 浩宇 梓豪 沐宸 宇轩 奕辰 浩然 子涵 一诺 梓轩 俊熙 承泽 景行 书远 嘉树 亦辰 皓轩 铭泽",
    ),
    "2-3": (
        "梓雨一诗欣语可若子思沐心芷梦艺依紫奕嘉清",
        "涵萱彤妍怡诺宁玥瑶琪菲馨然晴溪桐悦汐楠欢",
        "彤妍玥萱诺菲",
        "梓涵 雨桐 一诺 欣妍 诗涵 语彤 可馨 若汐 子萱 思彤 沐妍 心怡 芷萱 梦琪 艺馨 依诺 奕彤 清妍",
    ),
}  # fmt: skip
"""sex-cohort: born before 1965, 1965-1984, 1985-2004, since 2005."""

RARE_GIVEN: Final = ("喆", "䶮", "翀", "㛃", "龑", "𬎆", "犇", "玥䶮", "彧", "𬭎")
"""Characters that small code pages lack; some lie outside the basic plane: four bytes in GB18030."""

_CONFUSED_PAIRS: Final = (
    "张章 章张 王汪 汪王 李黎 黎李 徐许 许徐 陈程 程陈 吴武 武吴 余于 于余 江姜 姜江 肖萧 萧肖 付傅 傅付 阎闫 刘柳 "
    "罗骆 郑邓 沈申 晨辰 辰晨 伟玮 军君 君军 华花 英瑛 静婧 婧静 涛滔 强墙 国囯 杰洁 洁杰 丽莉 莉丽 敏闵 梅玫 红虹 "
    "虹红 明铭 铭明 建健 健建 文雯 雯文 宇雨 雨宇 子梓 梓子 欣新 新欣 怡宜 涵函 轩萱 萱轩 浩皓 皓浩 燕艳 艳燕 志智 "
    "智志 东冬 海每 林琳 琳林 平萍 萍平 峰锋 锋峰 玉王 秀绣 兰蓝 珍真 芳方"
)
CONFUSED: Final[Mapping[str, str]] = {pair[0]: pair[1] for pair in _CONFUSED_PAIRS.split()}
"""What is typed for another character: same sound or same shape."""


def spread(weighted: Sequence[tuple[str, int]]) -> list[str]:
    """A table of 4,096 places in which each value stands as often as its weight says: one look-up a draw."""
    size = 1 << _TABLE_BITS
    total = sum(weight for _, weight in weighted)
    table: list[str] = []
    reached = 0
    for value, weight in weighted:
        reached += weight
        table += [value] * (reached * size // total - len(table))
    return table


def _even(values: Sequence[str]) -> list[str]:
    return spread([(value, 1) for value in values])


class Draws(Protocol):
    """What the city needs of a generator; `kernel.ids.seeded` gives one."""

    def random(self) -> float: ...

    def getrandbits(self, k: int, /) -> int: ...


class NameMaker:
    """Draws names from one generator."""

    def __init__(self, draws: Draws) -> None:
        self._bits = draws.getrandbits
        self._surnames = spread([(name, int(weight)) for name, weight in re.findall(r"(\D+?)(\d+) ?", _SURNAMES)])
        self._rare = _even(RARE_GIVEN)
        self._given = {
            key: (_even(first), _even(second), _even(single), _even(whole.split()))
            for key, (first, second, single, whole) in _COHORTS.items()
        }

    def surname(self) -> str:
        return self._surnames[self._bits(_TABLE_BITS)]

    def given(self, *, is_male: bool, birth_year: int) -> str:
        """One character in eight, a name in fashion in four, else two characters; one in a thousand is rare."""
        cohort = 0 if birth_year < 1965 else 1 if birth_year < 1985 else 2 if birth_year < 2005 else 3
        first, second, single, whole = self._given[f"{1 if is_male else 2}-{cohort}"]
        kind, place = self._bits(10), self._bits(_TABLE_BITS)
        if kind == 0:
            return self._rare[place]
        if kind < 128:
            return single[place]
        if kind < 384:
            return whole[place]
        return first[place] + second[self._bits(_TABLE_BITS)]
