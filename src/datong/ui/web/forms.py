"""Form fields in the look: classes, descriptions and error marks that a screen reader finds."""

from __future__ import annotations

from typing import Any

from django import forms


class PageForm(forms.Form):
    """A form whose fields carry the stylesheet's classes and point at their help and errors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            dress_widget(field.widget)

    @property
    def first_error(self) -> str:
        """The id of the first field with an error, for the summary's link."""
        return next((self[name].id_for_label for name in self.fields if name in self.errors), "")


def dress_widget(widget: forms.Widget) -> None:
    """Give a widget its class, unless it has one."""
    if isinstance(widget, forms.HiddenInput | forms.CheckboxSelectMultiple | forms.RadioSelect):
        return
    chosen = "dt-check" if isinstance(widget, forms.CheckboxInput) else "form-control"
    if isinstance(widget, forms.Select):
        chosen = "form-select"
    widget.attrs.setdefault("class", chosen)
