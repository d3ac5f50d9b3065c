"""A layout that writes down what a panel draws on it, and the panels drawn so: Blender has none where there is no window."""

from types import SimpleNamespace

import bpy

WIDTH = 320


class Paper:
    """Stands in for UILayout. `lines` holds what is read from top to bottom: (kind, text, what it is about)."""

    def __init__(self, lines=None, enabled=True):
        self.lines = [] if lines is None else lines
        self.enabled = enabled
        self.strings = {}

    def _part(self, **options):
        return Paper(self.lines, self.enabled)

    row = column = box = split = grid_flow = _part

    def separator(self):
        pass

    def label(self, text, icon="NONE"):
        self.lines.append(("label", text, icon))

    def prop(self, owner, name, text=None, placeholder="", **options):
        assert name in owner.bl_rna.properties
        shown = owner.bl_rna.properties[name].name if text is None else text
        self.lines.append(("prop", shown or placeholder, name))

    def prop_enum(self, owner, name, value, **options):
        self.lines.append(("choice", owner.bl_rna.properties[name].enum_items[value].name, value))

    def prop_search(self, owner, name, data, collection, **options):
        assert hasattr(data, collection)
        self.prop(owner, name)

    def operator(self, name, text=None, **options):
        known = getattr(bpy.ops.pegbar, name.removeprefix("pegbar.")).get_rna_type()
        pressed = SimpleNamespace()
        self.lines.append(("button", known.name if text is None else text, (name, pressed, self)))
        return pressed

    def operator_menu_enum(self, name, property, **options):
        assert property in getattr(bpy.ops.pegbar, name.removeprefix("pegbar.")).get_rna_type().properties
        self.lines.append(("menu", options["text"], name))

    def progress(self, text, factor):
        self.lines.append(("bar", text, factor))

    def template_icon(self, icon_value, scale):
        self.lines.append(("picture", "", scale))

    def menu(self, name, **options):
        assert hasattr(bpy.types, name)
        self.lines.append(("menu", "", name))

    def context_string_set(self, name, value):
        self.strings[name] = value

    @property
    def text(self):
        """All that can be read."""
        return " ".join(line[1] for line in self.lines if line[1])

    def props(self):
        """The names of the properties, in order."""
        return [about for kind, _, about in self.lines if kind == "prop"]

    def button(self, name):
        """(what its text is, whether it can be pressed) of an operator's button; None where it is not drawn."""
        found = (line for line in self.lines if line[0] == "button" and line[2][0] == name)
        return next(((text, paper.enabled) for _, text, (_, _, paper) in found), None)


class Sidebar:
    """The context in which a sidebar is drawn."""

    def __init__(self, space):
        self.region, self.area = SimpleNamespace(width=WIDTH), SimpleNamespace(type=space)
        self.preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))

    def __getattr__(self, name):
        return getattr(bpy.context, name)


def drawn(panel):
    """What a panel shows, by the name of its class: the panel alone, without its header and sub-panels."""
    cls = getattr(bpy.types, panel)
    plain = type(panel, cls.__bases__[:-1], {"methods": getattr(cls, "methods", ())})()  # a Panel itself is made by Blender alone
    plain.layout = Paper()
    context = Sidebar(cls.bl_space_type)
    if not hasattr(cls, "poll") or plain.poll(context):
        plain.draw(context)
    return plain.layout
