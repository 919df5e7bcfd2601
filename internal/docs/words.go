package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// words is what comments say: of types by their name, of fields by Type.Field. Values are the texts of a type's constants.
type words struct {
	types, fields map[string]string
	values        map[string][]string
}

func wordsIn(folders ...string) (*words, error) {
	w := &words{types: map[string]string{}, fields: map[string]string{}, values: map[string][]string{}}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("read comments in %s: %w", folder, fs.ErrNotExist)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, fmt.Errorf("read comments: %w", err)
			}
			w.file(parsed)
		}
	}
	return w, nil
}

func (w *words) file(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				w.typ(g, s)
			case *ast.ValueSpec:
				w.value(s)
			}
		}
	}
}

func (w *words) typ(g *ast.GenDecl, s *ast.TypeSpec) {
	doc := s.Doc
	if doc == nil && !g.Lparen.IsValid() {
		doc = g.Doc
	}
	w.types[s.Name.Name] = oneLine(doc.Text())
	of, ok := s.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range of.Fields.List {
		for _, name := range f.Names {
			text := f.Comment.Text()
			if text == "" {
				text = f.Doc.Text()
			}
			w.fields[s.Name.Name+"."+name.Name] = oneLine(text)
		}
	}
}

func (w *words) value(s *ast.ValueSpec) {
	typ, ok := s.Type.(*ast.Ident)
	if !ok || len(s.Values) != 1 {
		return
	}
	if text, ok := s.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
		if v, err := strconv.Unquote(text.Value); err == nil && v != "" {
			w.values[typ.Name] = append(w.values[typ.Name], v)
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
